import { randomUUID } from "node:crypto";
import type { Job } from "../job.ts";
import type { Jobs } from "../jobs.ts";
import type { Outcome } from "../outcome.ts";
import { collect, me, until } from "../test-support.ts";
import type { SessionRequest } from "./request.ts";
import type { SessionTerminal } from "./terminal.ts";

/** The plainest shell, which reads no profile. */
export const SH = ["/bin/sh"] as const;

/** A bash that shows nothing of the machine it runs on. */
export const BASH = ["/bin/bash", "--norc", "--noprofile"] as const;

/** A script on a terminal. */
export function script(text: string): readonly string[] {
  return ["/bin/sh", "-c", text];
}

export function request(shell: readonly string[], more: Partial<SessionRequest> = {}): SessionRequest {
  return { shell, size: { cols: 80, rows: 24 }, cwd: "", env: { PS1: "$ " }, idleTimeoutMs: 0, ...more };
}

/** A session as a test uses it. */
export interface TestSession {
  readonly job: Job;
  readonly terminal: SessionTerminal;
  /** Types, and returns when the terminal has taken it. */
  type(text: string): Promise<void>;
  /** Waits until something has come out behind what was waited for before; what it was. */
  sees(text: string): Promise<void>;
}

export function session(
  jobs: Jobs,
  shell: readonly string[],
  more: Partial<SessionRequest> = {},
): TestSession {
  const { job } = jobs.startSession(me, randomUUID(), request(shell, more));
  const { terminal } = job;
  if (terminal === undefined) throw new TypeError("a session without a terminal");
  const writerId = randomUUID();
  let typed = 0n;
  let seen = 0n;
  return {
    job,
    terminal,
    type: async (text) => {
      const data = Buffer.from(text);
      const offset = typed;
      typed += BigInt(data.length);
      await job.input({ writerId, offset, data, eof: false });
    },
    sees: async (text) => {
      await until(async () => {
        const output = await outputSoFar(job, seen);
        const at = output.indexOf(text);
        if (at >= 0) seen += BigInt(at + Buffer.byteLength(text));
        return at >= 0;
      });
    },
  };
}

/** What lies in a job's journal now, behind an offset. */
async function outputSoFar(job: Job, after: bigint): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const { end } = job.journal;
  using reader = job.journal.open(after, { holds: false });
  for (let offset = after; offset < end; ) {
    const item = await reader.next();
    if (item?.kind !== "output") throw new Error(`no output at ${offset}`);
    chunks.push(item.bytes);
    offset += BigInt(item.bytes.length);
  }
  return Buffer.concat(chunks);
}

/** A session to its end. */
export async function runSession(
  jobs: Jobs,
  shell: readonly string[],
  more?: Partial<SessionRequest>,
): Promise<{ output: string; outcome: Outcome | undefined }> {
  const { job } = session(jobs, shell, more);
  const { stdout, outcome } = await collect(job.events({ after: 0n, attached: true, holds: true }));
  return { output: stdout.toString(), outcome };
}
