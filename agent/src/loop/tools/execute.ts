import { randomUUID } from "node:crypto";
import { Exec, onAbort } from "@cmdop/proto";
import { z } from "zod";
import type { Job, Jobs, Outcome } from "../../jobs/index.ts";
import type { Caller } from "../../policy/caller.ts";
import { LOOP_LIMITS } from "../limits.ts";
import { asData, Ends } from "./data.ts";
import type { ToolGate } from "./tool-gate.ts";
import type { ToolAnswer, ToolSpec } from "./tools.ts";

export const EXECUTE_METHOD = "/cmdop.v1.Exec/Start";

const input = z.object({
  command: z.string().min(1).describe("One line for /bin/sh -c. Nobody can answer its questions."),
  cwd: z.string().optional().describe("Working directory; the home directory unless given."),
  stdin: z.string().optional().describe("Standard input; empty unless given."),
  timeoutMs: z
    .int()
    .min(1)
    .max(LOOP_LIMITS.maxCommandMs)
    .optional()
    .describe(`Time limit in milliseconds; ${LOOP_LIMITS.defaultCommandMs} unless given.`),
});

/** What the tool works with. */
export interface ExecuteOptions {
  readonly caller: Caller;
  readonly gate: ToolGate;
  readonly jobs: Jobs;
  /** Told of each command while it runs: the run's end must end it. */
  readonly own: (job: Job) => void;
}

/** Runs a command as any caller's exec: a job of the same key, with its own journal. */
export function executeTool({ caller, gate, jobs, own }: ExecuteOptions): ToolSpec<z.infer<typeof input>> {
  return {
    name: "execute",
    description: "Runs a command on this machine and returns its exit code and its output.",
    input,
    run: ({ command, cwd = "", stdin: text = "", timeoutMs = LOOP_LIMITS.defaultCommandMs }, use) => {
      const jobId = randomUUID();
      const stdin = Buffer.from(text);
      const type = Exec.method.start.input;
      const request = { jobId, command: { case: "shell", value: command }, cwd, stdin, timeoutMs } as const;
      return gate({ caller, path: EXECUTE_METHOD, type, request, use }, ({ keyId }) => {
        const run = { shell: command };
        const asked = { run, cwd, env: {}, timeoutMs, stdinOpen: false, stdin };
        const { job } = jobs.start({ keyId, admin: false }, jobId, asked);
        own(job);
        return follow(job, use.signal);
      });
    },
  };
}

async function follow(job: Job, signal: AbortSignal): Promise<ToolAnswer> {
  const jobId = job.identity.id;
  const stopListening = onAbort(signal, () => {
    job.stop({ kind: "canceled", reason: "The agent's run that had started it has ended." });
  });
  const ends = new Ends();
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder(), events: new TextDecoder() };
  let outcome: Outcome | undefined;
  try {
    for await (const event of job.events({ after: 0n, attached: false, holds: true })) {
      if (event.kind === "output") ends.add(decoders[event.channel].decode(event.bytes, { stream: true }));
      if (event.kind === "dropped") ends.add(`[${event.bytes} bytes are gone]`);
      if (event.kind === "ended") outcome = event.outcome;
    }
  } finally {
    stopListening();
  }
  const end = outcome === undefined ? "unknown" : inWords(outcome);
  const output = String(ends);
  const text = output === "" ? `${end}; no output` : `${end}\n${asData("the command", output)}`;
  return { ok: outcome?.kind === "exited" && outcome.exitCode === 0, text, jobId };
}

function inWords(outcome: Outcome): string {
  switch (outcome.kind) {
    case "exited":
      return `exit code ${outcome.exitCode}`;
    case "signaled":
      return `ended by ${outcome.signal}`;
    default:
      return "reason" in outcome ? `${outcome.kind}: ${outcome.reason}` : outcome.kind;
  }
}
