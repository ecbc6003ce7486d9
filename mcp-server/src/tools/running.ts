import type { WaitingForApproval } from "@cmdop/sdk";
import { z } from "zod";
import type { FollowedRun, RunConclusion } from "../follow-run.ts";
import { MAX_PROGRESS_LINE_CHARS, MAX_RUN_OUTPUT_CHARS, MAX_RUN_TEXT_CHARS } from "../limits.ts";
import type { ToolAnswer, ToolContext } from "../tool.ts";
import { waitingReason, watched } from "./following.ts";

/** What is said of an agent's run. */
export const runOutput = z.object({
  status: z.enum(["done", "running"]),
  outcome: z.string().nullable(),
  /** Empty where `output` has the answer. */
  text: z.string(),
  /** What matches the schema, where one was given. */
  output: z.unknown(),
  /** Why there is no answer, or what the run did last. */
  reason: z.string(),
  steps: z.int(),
  toolCalls: z.int(),
  durationMs: z.int(),
  runId: z.string(),
  machine: z.string().nullable(),
});
export type RunOutput = z.output<typeof runOutput>;

/** A run that a call follows. */
export interface Running {
  readonly runId: string;
  readonly job: FollowedRun;
  readonly machine: string | undefined;
  /** Whether the run waits for a person before it begins, as far as the machine has said. */
  readonly waiting?: () => WaitingForApproval | undefined;
  /** Withdraws what this call began, where the machine did not even say within the wait that the run is there. */
  readonly withdraw?: () => void;
}

/** Follows a run for as long as a call may take; what it has come to then is the answer. */
export async function answerRunning(
  { runId, job, machine, waiting, withdraw }: Running,
  context: ToolContext,
): Promise<ToolAnswer<RunOutput>> {
  const startedAtMs = performance.now();
  const elapsedMs = (): number => Math.round(performance.now() - startedAtMs);
  const named = context.nameMachine(machine);
  const { end, approval } = await watched({ noun: "run", job, waiting, withdraw }, context, elapsedMs);
  if (approval !== undefined)
    context.waitingRuns.keep(runId, { job, waiting: () => approval }, context.report);
  else if (end === undefined) job.leave().catch(context.report);
  const facts = end?.facts ?? job.facts();
  // A schema is always of an object: text means that there was none.
  const hasOutput = end !== undefined && end.error === undefined && typeof end.output !== "string";
  const structured: RunOutput = {
    status: end === undefined ? "running" : "done",
    outcome: end?.facts.outcome ?? null,
    text: hasOutput ? "" : shortened(facts.text, MAX_RUN_TEXT_CHARS),
    output: hasOutput ? end.output : null,
    reason: reasonOf(job, end, approval),
    steps: facts.steps,
    toolCalls: facts.toolCalls.length,
    durationMs: Math.round(end?.facts.durationMs ?? elapsedMs()),
    runId,
    machine: await named,
  };
  return { text: [textOf(structured, hasOutput, job.hasStarted)], structured };
}

function reasonOf(
  job: FollowedRun,
  end: RunConclusion | undefined,
  approval: WaitingForApproval | undefined,
): string {
  if (approval !== undefined) return waitingReason(approval);
  if (end === undefined) return job.lastLine(MAX_PROGRESS_LINE_CHARS);
  return end.error === undefined ? "" : `${end.error.code}: ${end.error.message} Next: ${end.error.next}`;
}

function textOf(answer: RunOutput, hasOutput: boolean, hasStarted: boolean): string {
  const { status, reason, machine, runId, steps, toolCalls, durationMs } = answer;
  const where = machine === null ? "" : `machine ${machine}, `;
  const json = hasOutput ? (JSON.stringify(answer.output) ?? "") : undefined;
  const body = json === undefined ? answer.text : shortened(json, MAX_RUN_OUTPUT_CHARS);
  return [
    status === "running" ? stateSoFar(reason, hasStarted) : verdict(answer),
    `[${where}run ${runId}, ${steps} steps, ${toolCalls} tool calls, ${durationMs} ms]`,
    ...(body === "" ? [] : [`--- ${json === undefined ? "text" : "output"} ---`, body]),
  ].join("\n");
}

function verdict({ outcome, reason }: RunOutput): string {
  return `The run ${outcome === "completed" ? "has completed." : `has no answer (${outcome}): ${reason}`}`;
}

function stateSoFar(reason: string, hasStarted: boolean): string {
  return hasStarted
    ? `The run goes on without this call; last: ${reason}. agent_wait looks again, agent_cancel ends it.`
    : `The run has not begun: ${reason}. Do not start it again: agent_wait looks again, agent_cancel withdraws it.`;
}

function shortened(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const half = maxChars / 2;
  return `${text.slice(0, half)}\n[… ${text.length - maxChars} characters left out …]\n${text.slice(-half)}`;
}
