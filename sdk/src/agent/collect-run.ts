import { CmdopError, isErrorCode, type RunEvent } from "@cmdop/proto";
import { RunError } from "./run-error.ts";
import type { RunEnd, RunFacts, RunStreamEvent, RunToolCall, RunUsage } from "./types.ts";

type EndEvent = Extract<RunEvent, { type: "end" }>;

/** Error codes by outcome, for a run that ended without an answer and without an error of its own. */
const CODES = {
  completed: "OutcomeUnknown",
  exited: "OutcomeUnknown",
  signaled: "OutcomeUnknown",
  failed_to_start: "ModelFailed",
  failed: "ModelFailed",
  timed_out: "DeadlineExceeded",
  canceled: "Canceled",
  unknown: "OutcomeUnknown",
} as const satisfies Record<RunEnd["outcome"], string>;

/** The result of a run's events so far, for callers that follow `stream` and may stop before its end. */
export class CollectedRun {
  readonly #runId: string;
  readonly #calls = new Map<string, RunToolCall>();
  #text = "";
  #steps = 0;
  #usage: RunUsage = { inputTokens: 0, outputTokens: 0, totalTokens: 0 };
  #last: EndEvent | undefined;
  #end: RunEnd | undefined;

  constructor(runId: string) {
    this.#runId = runId;
  }

  add(event: RunStreamEvent): void {
    switch (event.type) {
      case "step":
        this.#steps = event.step;
        this.#text = "";
        break;
      case "retry":
      case "revoked":
        this.#text = "";
        break;
      case "text":
        this.#text += event.text;
        break;
      case "tool_call": {
        const { callId, tool, input } = event;
        this.#calls.set(callId, { callId, tool, input, output: "", ok: false, jobId: undefined });
        break;
      }
      case "tool_result": {
        const { callId, tool, output, ok, jobId } = event;
        this.#calls.set(callId, { callId, tool, input: this.#calls.get(callId)?.input, output, ok, jobId });
        break;
      }
      case "usage":
        this.#usage = {
          inputTokens: this.#usage.inputTokens + event.inputTokens,
          outputTokens: this.#usage.outputTokens + event.outputTokens,
          totalTokens: this.#usage.totalTokens + event.totalTokens,
        };
        break;
      case "end":
        this.#last = event;
        break;
      case "ended":
        this.#end = event;
        break;
    }
  }

  /**
   * Returns the facts of the run, and the output as the machine sent it.
   * @throws RunError where the run has no answer
   */
  result(): RunFacts & { readonly outcome: "completed"; readonly output: unknown } {
    const facts = this.facts();
    const last = this.#last;
    if (facts.outcome === "completed" && last !== undefined && last.failure === undefined)
      return { ...facts, outcome: "completed", output: last.output ?? last.text };
    throw new RunError(this.#failure(facts), facts);
  }

  facts(): RunFacts {
    const last = this.#last;
    return {
      runId: this.#runId,
      outcome: this.#end?.outcome ?? "unknown",
      text: last?.text ?? this.#text,
      steps: last?.steps ?? this.#steps,
      toolCalls: [...this.#calls.values()],
      usage: last?.usage ?? this.#usage,
      durationMs: this.#end?.durationMs ?? 0,
    };
  }

  #failure({ outcome }: RunFacts): CmdopError {
    const failure = this.#last?.failure;
    if (failure !== undefined) {
      const code = isErrorCode(failure.code) ? failure.code : CODES[outcome];
      return new CmdopError(code, failure.message, { next: failure.next });
    }
    const reason = this.#end?.reason || "its end is not known";
    return new CmdopError(CODES[outcome], `The run ${this.#runId} has no answer: ${reason}.`);
  }
}
