import { randomUUID } from "node:crypto";
import { LONGEST_TIMER_MS } from "@cmdop/kit";
import { LinkWatch, type WaitingForApproval } from "@cmdop/sdk";
import { z } from "zod";
import { followJob } from "../follow-job.ts";
import { MAX_OUTPUT_CHARS, WAIT_MS } from "../limits.ts";
import { machineArgument, pickMachine } from "../machine-argument.ts";
import { defineTool, type Tool } from "../tool.ts";
import { answerFollowing, commandOutput, endText } from "./following.ts";

const jobArgument = z.string().describe("jobId of terminal_execute");

const execute = defineTool({
  name: "terminal_execute",
  title: "terminal.execute",
  description: [
    `Run a command on a machine and wait for its end, ${WAIT_MS / 1000} s at most: a longer one is answered with status running and goes on there.`,
    "Every call is a process of its own: cd and exports do not carry over.",
    "A non-zero exit code is a result, not an error.",
    `Output is shown as on a terminal, ${MAX_OUTPUT_CHARS / 1024} KiB of stdout and stderr each; what is left out in the middle says how to read it.`,
  ].join(" "),
  input: z.strictObject({
    command: z
      .string()
      .describe(
        "A line for the user's login shell (bash, zsh …; else sh); with args, a program run without one",
      ),
    args: z.array(z.string()).optional(),
    shell: z.string().optional().describe("Another shell for the line: a path, or sh, bash, zsh …"),
    login: z.boolean().optional().describe("True: with what the user's profile sets (nvm, pyenv, cargo)"),
    cwd: z.string().optional(),
    env: z.record(z.string(), z.string()).optional(),
    stdin: z.string().optional(),
    timeout_ms: z.int().min(1).max(LONGEST_TIMER_MS).optional().describe("Ends the command; default none"),
    machine: machineArgument,
  }),
  output: commandOutput,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  handler: async ({ command, args = [], stdin, timeout_ms: timeoutMs, machine, ...rest }, context) => {
    const jobId = randomUUID();
    const withdraw = new AbortController();
    let approval: WaitingForApproval | undefined;
    const { terminal } = pickMachine(context.client, machine);
    const link = new LinkWatch();
    const { onLink, onOffline } = link;
    const events = terminal.stream(args.length === 0 ? command : [command, ...args], {
      jobId,
      ...rest,
      stdin,
      timeoutMs,
      onWaiting: (waiting) => {
        approval = waiting;
      },
      onLink,
      onOffline,
      signal: AbortSignal.any([context.canceled, withdraw.signal]),
    });
    const job = followJob(jobId, events, { link });
    return answerFollowing(
      { jobId, job, machine, waiting: () => approval, withdraw: () => withdraw.abort() },
      context,
    );
  },
});

const wait = defineTool({
  name: "terminal_wait",
  title: "terminal.wait",
  description:
    "Wait again for a command that terminal_execute left running, or read output that was left out. Answers as it does.",
  input: z.strictObject({
    job_id: jobArgument,
    after: z.int().min(0).optional().describe("Only output behind this offset; default all"),
    machine: machineArgument,
  }),
  output: commandOutput,
  annotations: { readOnlyHint: true, openWorldHint: true },
  handler: async ({ job_id: jobId, after = 0, machine }, context) => {
    const waitingJob = context.waitingJobs.take(jobId, context.report);
    if (waitingJob !== undefined) return answerFollowing({ jobId, machine, ...waitingJob }, context);
    const { terminal } = pickMachine(context.client, machine);
    const link = new LinkWatch();
    const { onLink, onOffline } = link;
    const job = followJob(jobId, terminal.resumeStream(jobId, { after, onLink, onOffline }), { after, link });
    return answerFollowing({ jobId, job, machine }, context);
  },
});

/** How a command ends that was canceled before anybody approved it. */
const WITHDRAWN = { outcome: "canceled", reason: "It was withdrawn before anybody approved it." } as const;

const cancel = defineTool({
  name: "terminal_cancel",
  title: "terminal.cancel",
  description: "End a command that was left running, and say how it ended.",
  input: z.strictObject({ job_id: jobArgument, machine: machineArgument }),
  output: commandOutput.pick({ exitCode: true, outcome: true, signal: true, reason: true, jobId: true }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
  handler: async ({ job_id: jobId, machine }, context) => {
    const waitingJob = context.waitingJobs.take(jobId, context.report);
    const heard = await pickMachine(context.client, machine).terminal.cancel(jobId);
    waitingJob?.job.leave().catch(context.report);
    // The machine knows nothing of a command that waits, but will not begin it any more.
    const end = waitingJob !== undefined && heard.outcome === "unknown" ? { ...heard, ...WITHDRAWN } : heard;
    const { exitCode, outcome, signal, reason } = end;
    return {
      // Whoever canceled it knows why.
      text: [endText("command", outcome === "canceled" ? { ...end, reason: "" } : end)],
      structured: { exitCode, outcome, signal, reason, jobId },
    };
  },
});

export const TERMINAL_TOOLS: readonly Tool[] = [execute, wait, cancel];
