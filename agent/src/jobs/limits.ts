const KiB = 1024;
const MiB = 1024 * KiB;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The bounds of the jobs core. Each can be set in `new Jobs({...})`; these are the defaults. */
export const JOB_LIMITS = {
  /** Jobs that run at once on the machine: three descriptors and a journal floor each. */
  maxRunningJobs: 512,
  /** Jobs that one key runs at once, so that no key can take all places. */
  maxRunningJobsPerKey: 256,
  /** Ended jobs remembered for each key, the oldest forgotten first: a busy key forgets only its own. About 1 KB each. */
  maxEndedJobsPerKey: 20_000,
  /** How long the output of an ended job is kept: time for a person to come back. */
  outputKeptMs: HOUR_MS,
  /** How long id and outcome are kept after that, so that a late retry never runs twice. */
  outcomeKeptMs: 24 * HOUR_MS,
  /** How often what has expired is forgotten. */
  sweepMs: MINUTE_MS,

  /** Output of one job in memory. Half of it may be unread before the pipe blocks; the rest is what a lost connection may ask for again. */
  maxJournalBytes: 16 * MiB,
  /** What one job may still hold while the budget of all is used up. */
  minJournalBytes: 512 * KiB,
  /** Output of all jobs together; beyond it ended jobs lose theirs, then running ones are held to the minimum. */
  maxOutputBytes: 256 * MiB,
  /** How long a job whose last reader went away waits for its return before it drops output: the SDK's reconnect window. */
  absentReaderGraceMs: MINUTE_MS,

  /** How long a program may take to begin before its outcome is unknown: longer only where a file system hangs. */
  startWaitMs: 30_000,
  /** Between SIGTERM and SIGKILL: what well-behaved servers need to shut down. */
  killGraceMs: 5_000,
  /** How long a process may take to vanish after SIGKILL before its outcome is unknown: it hangs in the kernel. */
  killWaitMs: 5_000,
  /** After the process ended: how long its pipes must be quiet, where background children hold them open. */
  pipeQuietMs: 100,
  /** The same, in bytes a pipe: more than a pipe can hold (Linux: 1 MiB) was not written before the end. */
  maxPipeRestBytes: 1 * MiB,
  /** Pipes that background children of ended jobs hold open; beyond it the oldest are closed. */
  maxHeldPipes: 512,

  /** Writers to one job's standard input: one a connected client, and what its restarts leave behind. */
  maxInputWriters: 64,
  /** Cancels kept for Starts that have not arrived, for each key. */
  maxCancelMarksPerKey: 1_000,
  /** How long such a Cancel is kept: twice the SDK's reconnect window. */
  cancelMarkMs: 2 * MINUTE_MS,
  /** Jobs in one answer to List: it must fit in one message. */
  maxListedJobs: 1_000,
} as const;

export type JobLimits = { readonly [K in keyof typeof JOB_LIMITS]: number };
