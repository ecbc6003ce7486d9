import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import type { Command } from "./exec/command.ts";
import type { Job, JobEvent } from "./job.ts";
import { Jobs, type JobsOptions, type Requester } from "./jobs.ts";
import type { Outcome } from "./outcome.ts";

export const me: Requester = { keyId: "key-of-mine", admin: false };
export const somebodyElse: Requester = { keyId: "key-of-somebody", admin: false };
export const admin: Requester = { keyId: "key-of-the-admin", admin: true };

/** A jobs core that ends with its test. */
export function newJobs(options: JobsOptions = {}): Jobs {
  const jobs = new Jobs(options);
  onTestFinished(() => jobs.shutdown());
  return jobs;
}

/** The ways in which commands are started, each as a jobs core that is ready. */
export const WAYS: readonly (readonly [name: string, ready: (options?: JobsOptions) => Promise<Jobs>])[] = [
  ["directly", async (options) => newJobs({ ...options, spawner: false })],
  ["by the spawner", (options) => spawnerJobs({ ...options, mayHang: () => false })],
  ["by a shell of the spawner's", (options) => spawnerJobs({ ...options, mayHang: () => true })],
];

/** A jobs core whose spawner is ready. */
export async function spawnerJobs(options: JobsOptions = {}): Promise<Jobs> {
  const jobs = newJobs(options);
  await jobs.warm();
  return jobs;
}

/** The process that starts commands: the parent of whatever it starts. */
export async function starterOf(jobs: Jobs): Promise<number> {
  return Number((await run(jobs, shell("echo $PPID"))).stdout);
}

export function shell(line: string, more: Partial<Command> = {}): Command {
  return command({ shell: line }, more);
}

export function argv(args: readonly string[], more: Partial<Command> = {}): Command {
  return command({ argv: args }, more);
}

function command(run: Command["run"], more: Partial<Command>): Command {
  return { run, cwd: "", env: {}, timeoutMs: 0, stdinOpen: false, stdin: new Uint8Array(), ...more };
}

export function begin(jobs: Jobs, what: Command, id: string = randomUUID()): Job {
  return jobs.start(me, id, what).job;
}

/** Runs a command to its end. */
export function run(jobs: Jobs, what: Command): Promise<Collected> {
  return collect(follow(begin(jobs, what)));
}

export function follow(job: Job, after = 0n): AsyncGenerator<JobEvent, void, void> {
  return job.events({ after, attached: false, holds: true });
}

/** All events of a stream, as they are. */
export async function eventsOf(events: AsyncIterable<JobEvent>): Promise<JobEvent[]> {
  const all: JobEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

export interface Collected {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly droppedBytes: bigint;
  readonly outcome: Outcome | undefined;
}

/** Everything a reader saw, having checked that the offsets have neither gap nor overlap. */
export async function collect(events: AsyncIterable<JobEvent>): Promise<Collected> {
  const chunks = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[], events: [] as Uint8Array[] };
  let droppedBytes = 0n;
  let offset: bigint | undefined;
  let outcome: Outcome | undefined;
  for await (const event of events) {
    offset ??= event.offset;
    if (event.offset !== offset) throw new Error(`event at ${event.offset}, expected at ${offset}`);
    if (event.kind === "output") {
      chunks[event.channel].push(event.bytes);
      offset += BigInt(event.bytes.length);
    } else if (event.kind === "dropped") {
      droppedBytes += event.bytes;
      offset += event.bytes;
    } else if (event.kind === "ended") outcome = event.outcome;
  }
  return {
    stdout: Buffer.concat(chunks.stdout),
    stderr: Buffer.concat(chunks.stderr),
    droppedBytes,
    outcome,
  };
}

/** Reads until the job has written a line to standard output; the line. */
export async function firstLine(job: Job): Promise<string> {
  let text = "";
  for await (const event of job.events({ after: 0n, attached: true, holds: false })) {
    if (event.kind === "output" && event.channel === "stdout") text += Buffer.from(event.bytes).toString();
    if (text.includes("\n")) break;
  }
  return text.split("\n")[0] ?? "";
}

/** Whether a process runs; a zombie doesn't. */
export async function alive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  return stat !== "" && !/\) [ZX] /.test(stat);
}

/** Well beyond what any test waits for; the test's own time limit would leave the waiting behind. */
const PATIENCE_MS = 20_000;

/** Waits for something that no event tells of: the state of other processes. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const since = performance.now(); !(await holds()); await sleep(5)) {
    if (performance.now() - since > PATIENCE_MS)
      throw new Error(`still not so after ${PATIENCE_MS} ms: ${holds}`);
  }
}

export function killAfterTest(pid: number): void {
  onTestFinished(() => {
    process.kill(pid, "SIGKILL");
  });
}
