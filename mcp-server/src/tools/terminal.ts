import { randomUUID } from "node:crypto";
import { onAbort } from "@cmdop/proto";
import { CmdopError, describeEnd, type ExecEnd } from "@cmdop/sdk";
import { z } from "zod";
import type { Excerpt } from "../excerpt.ts";
import { type FollowedJob, followJob } from "../follow-job.ts";
import { HEAD_BYTES, MAX_PROGRESS_LINE_CHARS, MAX_TIMEOUT_MS, TAIL_BYTES, WAIT_MS } from "../limits.ts";
import { machineArgument, pickMachine } from "../machine-argument.ts";
import { defineTool, type Tool, type ToolContext } from "../tool.ts";

const output = z.object({
  status: z.enum(["done", "running"]),
  exitCode: z.int().nullable(),
  outcome: z.enum(["exited", "signaled", "timed_out", "canceled", "failed_to_start", "unknown"]).nullable(),
  signal: z.string().nullable(),
  reason: z.string(),
  stdout: z.string(),
  stderr: z.string(),
  truncated: z.boolean(),
  binary: z.boolean(),
  durationMs: z.int(),
  jobId: z.string(),
  machine: z.string().nullable(),
});
type Output = z.output<typeof output>;

const execute = defineTool({
  name: "terminal_execute",
  title: "terminal.execute",
  description: [
    `Run a command on a machine and wait for its end, ${WAIT_MS / 1000} s at most: a longer one is answered with status running and goes on there.`,
    "Every call is a process of its own: cd and exports do not carry over.",
    "A non-zero exit code is a result, not an error.",
    `Of stdout and stderr the first ${HEAD_BYTES / 1024} and last ${TAIL_BYTES / 1024} KiB are kept each; for more, redirect to a file and use files_read.`,
  ].join(" "),
  input: z.strictObject({
    command: z.string().describe("A line for /bin/sh -c; with args, a program run without a shell"),
    args: z.array(z.string()).optional(),
    cwd: z.string().optional(),
    env: z.record(z.string(), z.string()).optional(),
    stdin: z.string().optional(),
    timeout_ms: z.int().min(1).max(MAX_TIMEOUT_MS).optional().describe("Ends the command; default none"),
    machine: machineArgument,
  }),
  output,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  handler: async ({ command, args, cwd, env, stdin, timeout_ms: timeoutMs, machine }, context) => {
    const startedAtMs = performance.now();
    const elapsedMs = (): number => Math.round(performance.now() - startedAtMs);
    const jobId = randomUUID();
    const withdraw = new AbortController();
    const { terminal } = pickMachine(context.client, machine);
    const job = followJob(
      terminal.stream(args === undefined ? command : [command, ...args], {
        jobId,
        cwd,
        env,
        stdin,
        timeoutMs,
        signal: AbortSignal.any([context.canceled, withdraw.signal]),
      }),
    );
    const named = context.nameMachine(machine);
    const stopProgress = reportProgress(job, context, elapsedMs);
    const end = await endWithin(job, context).finally(stopProgress);
    if (end === undefined && !job.hasStarted && !context.gone.aborted) {
      withdraw.abort();
      throw new CmdopError("OutcomeUnknown", `The machine did not answer within ${elapsedMs()} ms.`, {
        next: "The command was withdrawn, but it may have begun: look before you repeat it. machines_list shows whether the machine is online.",
      });
    }
    if (end === undefined) job.leave().catch(context.report);
    const structured: Output = {
      status: end === undefined ? "running" : "done",
      exitCode: end?.exitCode ?? null,
      outcome: end?.outcome ?? null,
      signal: end?.signal ?? null,
      reason: end?.reason ?? "",
      stdout: job.stdout.text(),
      stderr: job.stderr.text(),
      truncated: job.stdout.isCut || job.stderr.isCut || job.droppedBytes > 0n,
      binary: job.stdout.isBinary || job.stderr.isBinary,
      durationMs: Math.round(end?.durationMs ?? elapsedMs()),
      jobId,
      machine: await named,
    };
    return { text: [textOf(structured, job, end)], structured };
  },
});

export const TERMINAL_TOOLS: readonly Tool[] = [execute];

/** The job's end, or undefined when the wait is over or the client is gone: then the job goes on by itself. */
async function endWithin(job: FollowedJob, { timings, gone }: ToolContext): Promise<ExecEnd | undefined> {
  const { promise: enough, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, timings.waitMs, undefined);
  const stopListening = onAbort(gone, () => resolve(undefined));
  try {
    return await Promise.race([job.end, enough]);
  } finally {
    clearTimeout(timer);
    stopListening();
  }
}

function reportProgress(
  job: FollowedJob,
  { progress, timings }: ToolContext,
  elapsedMs: () => number,
): () => void {
  if (progress === undefined) return () => undefined;
  const timer = setInterval(() => {
    const seconds = elapsedMs() / 1000;
    const line = job.lastLine(MAX_PROGRESS_LINE_CHARS);
    progress(seconds, `${Math.round(seconds)} s${line === "" ? "" : `: ${line}`}`);
  }, timings.progressIntervalMs);
  return () => clearInterval(timer);
}

function textOf(answer: Output, job: FollowedJob, end: ExecEnd | undefined): string {
  const verdict =
    end === undefined
      ? "The command is still running: it goes on without this call. Its output so far:"
      : `The command ${describeEnd(end)}.`;
  const where = answer.machine === null ? "" : `machine ${answer.machine}, `;
  const dropped = job.droppedBytes > 0n ? [`[the machine dropped ${job.droppedBytes} bytes of output]`] : [];
  return [
    verdict,
    `[${where}job ${answer.jobId}, ${answer.durationMs} ms]`,
    ...dropped,
    section("stdout", answer.stdout, job.stdout),
    section("stderr", answer.stderr, job.stderr),
  ].join("\n");
}

function section(channel: string, text: string, { totalBytes, isBinary }: Excerpt): string {
  if (totalBytes === 0) return `--- ${channel}: empty ---`;
  const binary = isBinary ? ", not UTF-8: redirect it to a file and use files_read for its bytes" : "";
  return `--- ${channel}: ${totalBytes} bytes${binary} ---\n${text}`;
}
