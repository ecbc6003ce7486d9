import { dataMarker, printable } from "@cmdop/proto";
import {
  describeToolInput,
  type RunQuestion,
  type AskedUse as RunUse,
  type WaitingForApproval,
} from "@cmdop/sdk";
import { z } from "zod";
import type { FollowedRun, RunConclusion } from "../follow-run.ts";
import {
  MAX_PROGRESS_LINE_CHARS,
  MAX_QUESTION_CHARS,
  MAX_RUN_OUTPUT_CHARS,
  MAX_RUN_TEXT_CHARS,
} from "../limits.ts";
import { timeText } from "../time-text.ts";
import type { AskPerson, ToolAnswer, ToolContext } from "../tool.ts";
import { waitingReason, watched } from "./following.ts";
import { nameText, outOfReach } from "./out-of-reach.ts";

/** What is said of an agent's run. */
export const runOutput = z.object({
  /** `unreachable`: the connection is lost, so nobody here knows whether it still runs. */
  status: z.enum(["done", "running", "asking", "unreachable"]),
  /** What waits for agent_approve. */
  questions: z.array(z.object({ callId: z.string(), tool: z.string(), what: z.string(), until: z.string() })),
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
  /** Ends the run, where this call is what began it. */
  readonly end?: (() => Promise<unknown>) | undefined;
}

/** Follows a run for as long as a call may take; what it has come to then is the answer. */
export async function answerRunning(
  { runId, job, machine, waiting, withdraw, end: endRun }: Running,
  context: ToolContext,
): Promise<ToolAnswer<RunOutput>> {
  const startedAtMs = performance.now();
  const elapsedMs = (): number => Math.round(performance.now() - startedAtMs);
  const named = context.nameMachine(machine);
  const { end, approval } = await watched(
    { noun: "run", job, machine, waiting, withdraw },
    context,
    elapsedMs,
  );
  const loss = end === undefined ? job.loss : undefined;
  if (approval !== undefined)
    context.waitingRuns.keep(runId, { job, waiting: () => approval }, context.report);
  else if (end === undefined) job.leave().catch(context.report);
  const facts = end?.facts ?? job.facts();
  // A schema is always of an object: text means that there was none.
  const hasOutput = end !== undefined && end.error === undefined && typeof end.output !== "string";
  // An answer would not arrive.
  const questions = end === undefined && loss === undefined ? job.questions() : [];
  const [question] = questions;
  const name = await named;
  const soFar = question === undefined ? "running" : "asking";
  const structured: RunOutput = {
    status: end !== undefined ? "done" : loss === undefined ? soFar : "unreachable",
    questions: questions.map(shownQuestion),
    outcome: end?.facts.outcome ?? null,
    text: hasOutput ? "" : shortened(facts.text, MAX_RUN_TEXT_CHARS),
    output: hasOutput ? end.output : null,
    reason: loss === undefined ? reasonOf(job, end, approval) : outOfReach("run", loss, name),
    steps: facts.steps,
    toolCalls: facts.toolCalls.length,
    durationMs: Math.round(end?.facts.durationMs ?? elapsedMs()),
    runId,
    machine: name,
  };
  const text = [textOf(structured, { hasOutput, hasStarted: job.hasStarted, canAsk: context.canAsk })];
  if (question === undefined) return { text, structured };
  return { text, structured, ask: askPerson(runId, question, structured.machine, endRun) };
}

/** What a client's person is asked of a use of a tool. */
function askPerson(
  runId: string,
  question: RunQuestion,
  machine: string | null,
  withdraw: (() => Promise<unknown>) | undefined,
): AskPerson {
  const { callId, hash } = question;
  const { tool, what, until } = shownQuestion(question);
  const where = machine === null ? "" : ` on ${nameText(machine)}`;
  const message = `The agent${where} wants to use ${printable(tool)}:\n\n${what}\n\nMay it? Silence until ${until} is a no.`;
  return { about: { runId, callId, hash }, message, withdraw };
}

function shownQuestion({
  callId,
  hash,
  tool,
  input,
  expiresAtMs,
}: RunQuestion): RunOutput["questions"][number] {
  const what = shortened(describeToolInput(input).join("\n"), MAX_QUESTION_CHARS);
  return { callId: `${callId}@${hash}`, tool, what, until: timeText(expiresAtMs) };
}

/** The use of a tool that a call_id means: it has its hash with it, so that a yes is for what was shown. */
export function useOf(id: string): RunUse {
  const [, callId = id, hash = ""] = /^(.*)@([\w-]*)$/s.exec(id) ?? [];
  return { callId, hash };
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

interface Telling {
  readonly hasOutput: boolean;
  readonly hasStarted: boolean;
  readonly canAsk: boolean;
}

function textOf(answer: RunOutput, { hasOutput, hasStarted, canAsk }: Telling): string {
  const { status, machine, runId, steps, toolCalls, durationMs } = answer;
  const mark = dataMarker();
  const where = machine === null ? "" : `machine ${nameText(machine)}, `;
  const json = hasOutput ? (JSON.stringify(answer.output) ?? "") : undefined;
  const body = json === undefined ? answer.text : shortened(json, MAX_RUN_OUTPUT_CHARS);
  return [
    status === "running" ? stateSoFar(answer, hasStarted, mark) : "",
    status === "unreachable" ? unreachable(answer) : "",
    status === "asking" ? asking(canAsk) : "",
    status === "done" ? verdict(answer, mark) : "",
    `[${where}run ${runId}, ${steps} steps, ${toolCalls} tool calls, ${durationMs} ms]`,
    answer.questions.length > 0 ? mark(answer.questions.map(questionText).join("\n")) : "",
    ...(body === "" ? [] : [`--- ${json === undefined ? "text" : "output"} ---`, mark(body)]),
  ]
    .filter((part) => part !== "")
    .join("\n");
}

function questionText({ callId, tool, what, until }: RunOutput["questions"][number]): string {
  return `--- call_id ${printable(callId)}: ${printable(tool)}, until ${until} ---\n${what}`;
}

function asking(canAsk: boolean): string {
  return canAsk
    ? "The run waits for your person's word, and silence is a no: agent_wait asks them (again), agent_approve can say no."
    : "The run waits for a word on what it is about to do, and silence is a no: agent_approve says yes or no.";
}

type Mark = (text: string) => string;

function verdict({ outcome, reason }: RunOutput, mark: Mark): string {
  if (outcome === "completed") return "The run has completed.";
  return `The run has no answer (${outcome}):\n${mark(printable(reason))}`;
}

function unreachable({ reason }: RunOutput): string {
  return `${reason}. Do not start it again: machines_list shows whether the machine is back, then agent_wait looks again and agent_cancel ends it.`;
}

function stateSoFar({ reason }: RunOutput, hasStarted: boolean, mark: Mark): string {
  if (hasStarted) {
    const last = reason === "" ? "" : ` Last it did:\n${mark(printable(reason))}`;
    return `The run goes on without this call. agent_wait looks again, agent_cancel ends it.${last}`;
  }
  return `The run has not begun: ${reason}. Do not start it again: agent_wait looks again, agent_cancel withdraws it.`;
}

function shortened(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const half = maxChars / 2;
  return `${text.slice(0, half)}\n[… ${text.length - maxChars} characters left out …]\n${text.slice(-half)}`;
}
