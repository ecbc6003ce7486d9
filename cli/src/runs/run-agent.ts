import { randomUUID } from "node:crypto";
import {
  type Agent,
  CMDOPClient,
  describeEnd,
  RunError,
  type RunFacts,
  type RunOptions,
  type RunResult,
  type RunStreamEvent,
} from "@cmdop/sdk";
import { EXIT_OK, failedWith, reportError } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";
import { note, report } from "../console/output.ts";
import { terminationSignal } from "../console/signals.ts";
import { TypedLines } from "../console/typed-lines.ts";
import { EXIT_OURS, exitCodeOf } from "../jobs/exit-codes.ts";
import { JobOutput } from "../jobs/job-output.ts";
import { linkMessages } from "../jobs/link-messages.ts";
import { agentOf, commandFor } from "../jobs/machine-terminal.ts";
import { waitingMessage } from "../jobs/waiting-message.ts";
import { onMachine } from "../machines/on-machine.ts";
import { RunQuestions } from "./run-questions.ts";
import { answerText, RunProgress } from "./run-text.ts";

/** A run from the command line. */
export type AgentCommand = Pick<
  RunOptions,
  "agentType" | "outputJsonSchema" | "maxSteps" | "timeoutMs" | "approve"
> & {
  /** True prints one line with all the facts instead of the answer. */
  readonly json: boolean;
};

/** Runs an agent on a machine: its progress goes to stderr, its answer to stdout. Returns the exit code. */
export async function runAgent(
  machine: string | undefined,
  prompt: string,
  { json, ...options }: AgentCommand,
): Promise<number> {
  const output = new JobOutput();
  // A run whose answer can't be written is canceled, because nobody reads it and it costs tokens.
  const signal = AbortSignal.any([terminationSignal(), output.unwritable]);
  const { outputJsonSchema, ...plain } = options;
  const runId = randomUUID();
  using lines = plain.approve === undefined ? undefined : new TypedLines();
  try {
    await using client = CMDOPClient.fromProfile();
    const result: RunResult<unknown> = await onMachine(client, machine, (name) => {
      const agent = agentOf(client, name);
      const onEvent = lines === undefined ? showProgress() : askOnTheWay(agent, { runId, machine, lines });
      const run = {
        ...plain,
        runId,
        signal,
        ...linkMessages(machine, "run"),
        onWaiting: waitingMessage(),
        onEvent,
      };
      return outputJsonSchema === undefined
        ? agent.run(prompt, run)
        : agent.run(prompt, { ...run, outputJsonSchema });
    });
    await output.print(
      json ? jsonLine({ ...factsOf(result), output: result.output }) : answerText(result.output),
    );
    return output.exitCodeIfUnread("The run has ended.") ?? EXIT_OK;
  } catch (thrown) {
    if (!(thrown instanceof RunError)) return failedWith(thrown, EXIT_OURS);
    const { code, message, next } = thrown;
    if (json)
      await output.print(jsonLine({ ...factsOf(thrown), output: null, error: { code, message, next } }));
    return output.exitCodeIfUnread("The run was canceled.") ?? reportRunError(machine, thrown);
  }
}

/** Writes the progress of a run to stderr, one line for each event. */
export function showProgress(): (event: RunStreamEvent) => void {
  const progress = new RunProgress();
  return (event) => {
    const lines = progress.add(event);
    if (lines !== "") for (const line of lines.trimEnd().split("\n")) note(line);
  };
}

/** Writes the progress too, and asks the person at the terminal the run's questions. */
function askOnTheWay(
  agent: Agent,
  {
    runId,
    machine = "this machine",
    lines,
  }: { runId: string; machine: string | undefined; lines: TypedLines },
): (event: RunStreamEvent) => void {
  const progress = new RunProgress();
  const questions = new RunQuestions({
    machine,
    lines,
    write: (text) => void process.stderr.write(text),
    answer: (use, answer, reason) => agent.approve(runId, use, answer, reason),
  });
  return (event) => questions.add(event, progress.add(event));
}

/** Reports the reason for a missing answer, and returns the exit code for it. */
function reportRunError(machine: string | undefined, error: RunError): number {
  const { outcome, runId } = error;
  const ended = { outcome, exitCode: null, signal: null, reason: "" };
  report(`the run ${describeEnd(ended)}`);
  if (outcome !== "canceled") {
    reportError(error);
    report(`what it did: ${commandFor("logs", machine, runId)}`);
  }
  // A completed run without an answer has missing or invalid events.
  return outcome === "completed" ? EXIT_OURS : exitCodeOf(ended);
}

function factsOf({ runId, outcome, text, steps, toolCalls, usage, durationMs }: RunFacts): RunFacts {
  return { runId, outcome, text, steps, toolCalls, usage, durationMs };
}
