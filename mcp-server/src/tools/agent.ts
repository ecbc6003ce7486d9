import { randomUUID } from "node:crypto";
import { CmdopError, LinkWatch, type WaitingForApproval } from "@cmdop/sdk";
import { z } from "zod";
import type { ToolMachine } from "../client.ts";
import { followRun } from "../follow-run.ts";
import { MAX_REASON_CHARS, MAX_RUN_STEPS, MAX_RUN_TIMEOUT_MS, WAIT_MS } from "../limits.ts";
import { machineArgument, pickMachine } from "../machine-argument.ts";
import { OwnError } from "../own-error.ts";
import { defineTool, type PersonsWord, type Tool } from "../tool.ts";
import { endText } from "./following.ts";
import { answerRunning, runOutput, useOf } from "./running.ts";

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
    approve: z.enum(["writes", "commands", "all"]).optional().describe("Asks first; writes: also commands"),
    max_steps: z.int().min(1).max(MAX_RUN_STEPS).optional(),
    timeout_ms: z.int().min(1).max(MAX_RUN_TIMEOUT_MS).optional(),
    machine: machineArgument,
  }),
  output: runOutput,
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  handler: async (args, context) => {
    const { prompt, type: agentType, schema, max_steps: maxSteps, timeout_ms: timeoutMs } = args;
    const { approve, machine } = args;
    const { agent } = pickMachine(context.client, machine);
    const link = new LinkWatch();
    const { onLink, onOffline } = link;
    if (context.word !== undefined) {
      const { runId } = context.word.about;
      await pass(agent, context.word);
      const events = agent.resumeStream(runId, { signal: context.canceled, onLink, onOffline });
      const job = followRun(runId, events, link);
      return answerRunning({ runId, job, machine, end: () => agent.cancel(runId) }, context);
    }
    const runId = randomUUID();
    const withdraw = new AbortController();
    let approval: WaitingForApproval | undefined;
    const events = agent.stream(prompt, {
      onLink,
      onOffline,
      runId,
      agentType,
      approve,
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
        job: followRun(runId, events, link),
        machine,
        waiting: () => approval,
        withdraw: () => withdraw.abort(),
        end: () => agent.cancel(runId),
      },
      context,
    );
  },
});

/** Hands a person's word on. One that comes too late changes nothing: the run's events say how it went on. */
async function pass(agent: ToolMachine["agent"], { about, answer, reason }: PersonsWord): Promise<void> {
  await agent.approve(about.runId, about, answer, reason).catch((thrown: unknown) => {
    const { code } = CmdopError.from(thrown);
    if (code !== "NotFound" && code !== "JobEnded") throw thrown;
  });
}

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
    const { agent } = pickMachine(context.client, machine);
    if (context.word !== undefined) await pass(agent, context.word);
    const link = new LinkWatch();
    const { onLink, onOffline } = link;
    const job = followRun(runId, agent.resumeStream(runId, { onLink, onOffline }), link);
    return answerRunning({ runId, job, machine }, context);
  },
});

const approve = defineTool({
  name: "agent_approve",
  title: "agent.approve",
  description: "Answer one question of a run with status asking; agent_wait then goes on.",
  input: z.strictObject({
    run_id: runArgument,
    call_id: z.string(),
    answer: z.enum(["yes", "no"]),
    reason: z.string().max(MAX_REASON_CHARS).optional(),
    machine: machineArgument,
  }),
  output: z.object({ runId: z.string(), callId: z.string(), answer: z.string() }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  handler: async ({ run_id: runId, call_id: callId, answer, reason, machine }, context) => {
    if (answer === "yes" && context.canAsk) {
      throw new OwnError("ApprovalRefused", "This client has a person who can be asked: the yes is theirs.", {
        next: "agent_wait puts the question to them. agent_approve can say no.",
      });
    }
    const { agent } = pickMachine(context.client, machine);
    await agent.approve(runId, useOf(callId), answer, reason).catch((thrown: unknown) => {
      throw CmdopError.from(thrown).code === "NotFound" ? nothingWaits(callId, thrown) : thrown;
    });
    return {
      text: [`The run has been told ${answer}. agent_wait shows how it goes on.`],
      structured: { runId, callId, answer },
    };
  },
});

function nothingWaits(callId: string, cause: unknown): CmdopError {
  const shown = JSON.stringify(callId.slice(0, 100));
  return new OwnError("ApprovalRefused", `Nothing of this run waits as ${shown}: answered, or too late.`, {
    cause,
    next: "agent_wait shows what waits now.",
  });
}

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
      // Whoever canceled it knows why.
      text: [
        endText("run", {
          outcome,
          reason: outcome === "canceled" ? "" : reason,
          exitCode: null,
          signal: null,
        }),
      ],
      structured: { outcome, reason, runId },
    };
  },
});

export const AGENT_TOOLS: readonly Tool[] = [run, wait, approve, cancel];
