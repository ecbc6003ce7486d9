import { randomUUID } from "node:crypto";
import { describeEnd, type WaitingForApproval } from "@cmdop/sdk";
import { z } from "zod";
import { followRun } from "../follow-run.ts";
import { MAX_RUN_STEPS, MAX_RUN_TIMEOUT_MS, WAIT_MS } from "../limits.ts";
import { machineArgument, pickMachine } from "../machine-argument.ts";
import { defineTool, type Tool } from "../tool.ts";
import { answerRunning, runOutput } from "./running.ts";

const runArgument = z.string().describe("runId of agent_run");

const run = defineTool({
  name: "agent_run",
  title: "agent.run",
  description: [
    "Hand a task to an LLM agent on a machine, with that machine's own model, commands and files.",
    `Answered with status running after ${WAIT_MS / 1000} s: it goes on there.`,
  ].join(" "),
  input: z.strictObject({
    prompt: z.string(),
    type: z
      .enum(["chat", "terminal", "command", "router", "planner"])
      .optional()
      .describe("Default terminal (many steps); chat has no tools, command runs one"),
    schema: z
      .record(z.string(), z.unknown())
      .optional()
      .describe("JSON Schema of an object: the answer's shape"),
    max_steps: z.int().min(1).max(MAX_RUN_STEPS).optional(),
    timeout_ms: z.int().min(1).max(MAX_RUN_TIMEOUT_MS).optional(),
    machine: machineArgument,
  }),
  output: runOutput,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  handler: async (args, context) => {
    const { prompt, type: agentType, schema, max_steps: maxSteps, timeout_ms: timeoutMs, machine } = args;
    const runId = randomUUID();
    const withdraw = new AbortController();
    let approval: WaitingForApproval | undefined;
    const events = pickMachine(context.client, machine).agent.stream(prompt, {
      runId,
      agentType,
      outputJsonSchema: schema,
      maxSteps,
      timeoutMs,
      onWaiting: (waiting) => {
        approval = waiting;
      },
      signal: AbortSignal.any([context.canceled, withdraw.signal]),
    });
    return answerRunning(
      {
        runId,
        job: followRun(runId, events),
        machine,
        waiting: () => approval,
        withdraw: () => withdraw.abort(),
      },
      context,
    );
  },
});

const wait = defineTool({
  name: "agent_wait",
  title: "agent.wait",
  description: "Wait again for a run that agent_run left running. Answers as it does.",
  input: z.strictObject({ run_id: runArgument, machine: machineArgument }),
  output: runOutput,
  annotations: { readOnlyHint: true, openWorldHint: true },
  handler: async ({ run_id: runId, machine }, context) => {
    const waitingRun = context.waitingRuns.take(runId, context.report);
    if (waitingRun !== undefined) return answerRunning({ runId, machine, ...waitingRun }, context);
    const events = pickMachine(context.client, machine).agent.resumeStream(runId);
    return answerRunning({ runId, job: followRun(runId, events), machine }, context);
  },
});

/** How a run ends that was canceled before anybody approved it. */
const WITHDRAWN = { outcome: "canceled", reason: "It was withdrawn before anybody approved it." } as const;

const cancel = defineTool({
  name: "agent_cancel",
  title: "agent.cancel",
  description: "End a run and what it has started, and say how it ended.",
  input: z.strictObject({ run_id: runArgument, machine: machineArgument }),
  output: runOutput.pick({ outcome: true, reason: true, runId: true }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true },
  handler: async ({ run_id: runId, machine }, context) => {
    const waitingRun = context.waitingRuns.take(runId, context.report);
    const heard = await pickMachine(context.client, machine).agent.cancel(runId);
    waitingRun?.job.leave().catch(context.report);
    // The machine knows nothing of a run that waits, but will not begin it any more.
    const isWithdrawn = waitingRun !== undefined && heard.outcome === "unknown";
    const { outcome, reason } = isWithdrawn ? WITHDRAWN : heard;
    return {
      text: [`The run ${describeEnd({ outcome, reason, exitCode: null, signal: null })}.`],
      structured: { outcome, reason, runId },
    };
  },
});

export const AGENT_TOOLS: readonly Tool[] = [run, wait, cancel];
