const KiB = 1024;
const MiB = 1024 * KiB;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The bounds of the jobs core. Each can be set in `new Jobs({...})`; these are the defaults. */
export const JOB_LIMITS = {
  /** Jobs that run at once on the machine: three descriptors and a journal floor each. Keys share them, as all places here: see Shares. */
  maxRunningJobs: 1024,
  /** Ended jobs remembered, some 1.6 KB each, and 2.7 KB a session. Beyond it the oldest of the key that has most is forgotten: a busy key forgets only its own. */
  maxEndedJobs: 40_000,
  /** How long the output of an ended job is kept: time for a person to come back. */
  outputKeptMs: HOUR_MS,
  /** How long id and outcome are kept after that, so that a late retry never runs twice. */
  outcomeKeptMs: 24 * HOUR_MS,
  /** How often what has expired is forgotten. */
  sweepMs: 1_000,
  /** How many jobs at a time: each takes a write to the store and a directory to delete, some 0.3 ms in which callers wait. */
  maxSweptJobs: 100,

  /** Output of one job on disk. Half of it may be unread before the pipe blocks; the rest is what a lost connection may ask for again. */
  maxJournalBytes: 64 * MiB,
  /** What one job may still have on disk while the budget of all is used up. */
  minJournalBytes: 2 * MiB,
  /** A journal's file is dropped from its beginning in pieces of this size. */
  segmentBytes: 1 * MiB,
  /** Output of all jobs on disk together; beyond it ended jobs of the key that has most lose theirs, then its running ones are held to the minimum. */
  maxOutputBytes: 1024 * MiB,
  /** The same as a share of the file system that it is on, where that is less: small devices have other uses for their disk. */
  maxOutputShare: 0.1,

  /** The newest output of a running job, kept in memory too: readers that keep up need no file. */
  recentBytes: 128 * KiB,
  /** The same while the budget below is used up. */
  minRecentBytes: 16 * KiB,
  /** Output of one job in memory, where its file can't be written (a full disk). */
  maxMemoryJournalBytes: 8 * MiB,
  /** The same while the budget below is used up. */
  minMemoryJournalBytes: 256 * KiB,
  /** Output of all jobs in memory together; beyond it ended jobs of the key that has most, and no file, lose theirs. */
  maxOutputMemoryBytes: 128 * MiB,
  /** How long a job whose last reader went away waits for its return before it drops output: the SDK's reconnect window. */
  absentReaderGraceMs: MINUTE_MS,

  /** How long a program may take to begin before it is given up: longer only where a file system hangs. */
  startWaitMs: 10_000,
  /** Between SIGTERM and SIGKILL: what well-behaved servers need to shut down. */
  killGraceMs: 5_000,
  /** How long a process may take to vanish after SIGKILL before its outcome is unknown: it hangs in the kernel. */
  killWaitMs: 5_000,
  /** After the process ended: how long its pipes must be quiet, where background children hold them open. */
  pipeQuietMs: 100,
  /** The same, in bytes a pipe: more than a pipe can hold (Linux: 1 MiB) was not written before the end. */
  maxPipeRestBytes: 1 * MiB,
  /** Pipes that background children of ended jobs hold open; beyond it the oldest of the key that has most are closed. */
  maxHeldPipes: 512,

  /** Writers to one job's input: one a connected client, and what its restarts leave behind. Never forgotten while it runs, since what comes again must be known. About 150 bytes each. */
  maxInputWriters: 4_096,
  /** Cancels kept for Starts that have not arrived; beyond it the oldest of the key that has most goes. Some 300 bytes each. */
  maxCancelMarks: 4_000,
  /** How long such a Cancel is kept: twice the SDK's reconnect window. */
  cancelMarkMs: 2 * MINUTE_MS,
  /** Jobs in one answer to List: it must fit in one message. */
  maxListedJobs: 1_000,

  // Runs.

  /** Runs of agents at once on the machine: each holds a conversation of some megabytes, and calls a model that somebody pays for. */
  maxRuns: 32,

  // Sessions.

  /** Sessions that run at once on the machine: three descriptors each, and a terminal of the system, which has some 4,000. */
  maxSessions: 256,
  /** Output of one session on disk: what a person may want to scroll back to. The oldest goes, whoever has not read it. */
  maxSessionJournalBytes: 16 * MiB,
  /** After the shell ended: how long what it has written may take to come out of the terminal. */
  terminalDrainMs: 10_000,
  /** The same while nothing moves: output was stopped with Ctrl-S, and nobody is left to go on. */
  terminalQuietMs: 1_000,
} as const;

export type JobLimits = { readonly [K in keyof typeof JOB_LIMITS]: number };
