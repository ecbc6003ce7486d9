import { randomUUID } from "node:crypto";
import type { Job } from "../job.ts";
import type { Jobs } from "../jobs.ts";
import { me, until } from "../test-support.ts";
import type { SessionRequest } from "./request.ts";
import type { SessionTerminal } from "./terminal.ts";

/** The plainest shell, which reads no profile. */
export const SH = ["/bin/sh"] as const;

/** A bash that shows nothing of the machine it runs on. */
export const BASH = ["/bin/bash", "--norc", "--noprofile"] as const;

export function request(shell: readonly string[], more: Partial<SessionRequest> = {}): SessionRequest {
  return { shell, size: { cols: 80, rows: 24 }, cwd: "", env: { PS1: "$ " }, idleTimeoutMs: 0, ...more };
}

/** A session as a test uses it. */
export interface TestSession {
  readonly job: Job;
  readonly terminal: SessionTerminal;
  /** Types, and returns when it has been taken. */
  type(text: string): Promise<void>;
  /** Everything that came out so far. */
  output(): string;
  /** Waits until something has come out. */
  sees(text: string | RegExp): Promise<void>;
}

/** Starts a session whose output is read from its beginning. */
export function session(
  jobs: Jobs,
  shell: readonly string[],
  more: Partial<SessionRequest> = {},
): TestSession {
  const { job } = jobs.startSession(me, randomUUID(), request(shell, more));
  const { terminal } = job;
  if (terminal === undefined) throw new TypeError("a session without a terminal");
  let output = "";
  const decoder = new TextDecoder();
  const reading = (async () => {
    for await (const event of job.events({ after: 0n, attached: true, holds: false })) {
      if (event.kind === "output") output += decoder.decode(event.bytes, { stream: true });
    }
  })();
  const writerId = randomUUID();
  let offset = 0n;
  return {
    job,
    terminal,
    type: async (text) => {
      const data = Buffer.from(text);
      const before = offset;
      offset += BigInt(data.length);
      await job.input({ writerId, offset: before, data, eof: false });
    },
    output: () => output,
    sees: async (text) => {
      const there = (): boolean => (typeof text === "string" ? output.includes(text) : text.test(output));
      await until(there).catch((e) => { throw new Error(String(e) + JSON.stringify(output)); });
    },
  };
}

/** The whole output of a session that ends by itself. */
export async function outputOf(jobs: Jobs, shell: readonly string[], more?: Partial<SessionRequest>) {
  const { job } = jobs.startSession(me, randomUUID(), request(shell, more));
  const chunks: Uint8Array[] = [];
  for await (const event of job.events({ after: 0n, attached: true, holds: false })) {
    if (event.kind === "output") chunks.push(event.bytes);
  }
  return { output: Buffer.concat(chunks).toString(), outcome: await job.ended };
}
