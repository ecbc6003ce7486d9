import { setTimeout as sleep } from "node:timers/promises";
import type { FinishReason, ModelMessage, ToolChoice, ToolSet } from "ai";
import { failed, modelFailure, SilentProvider } from "./failure.ts";
import { LOOP_LIMITS } from "./limits.ts";
import type { RunContext } from "./run-context.ts";
import { answerFormat } from "./schema/answer-format.ts";
import type { OutputSchema } from "./schema/output-schema.ts";

/** One call of the model. */
export interface StepRequest {
  readonly instructions: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: ToolSet;
  readonly toolChoice: ToolChoice<ToolSet>;
  /** What the provider is told to answer with. */
  readonly schema: OutputSchema | undefined;
}

/** What came of it. */
export interface StepResult {
  readonly text: string;
  /** What is to be sent with the next call: the model's words, and those of the tools that it asked for. */
  readonly messages: readonly ModelMessage[];
  readonly toolCalls: number;
}

/**
 * Calls the model once, and runs the tools that it asks for. A call that fails
 * is made again where that may help, but never once a tool has run: tools wait
 * until the whole answer is there.
 * @throws CmdopError ModelFailed, BudgetSpent, or the reason why the run ends
 */
export async function modelStep(run: RunContext, request: StepRequest): Promise<StepResult> {
  run.events.write({ type: "step", step: run.budget.beginStep() });
  for (let attempt = 1; ; attempt += 1) {
    const ran = { tools: 0 };
    try {
      return await tryOnce(run, request, ran);
    } catch (thrown) {
      run.signal.throwIfAborted();
      const { error, passes, pauseMs } = modelFailure(run.ai, thrown);
      if (!passes || ran.tools > 0 || attempt >= LOOP_LIMITS.maxAttempts) throw error;
      const longest = LOOP_LIMITS.firstPauseMs * 2 ** (attempt - 1);
      const pause = Math.min(pauseMs ?? longest * Math.random(), LOOP_LIMITS.maxPauseMs);
      run.events.write({ type: "retry", reason: error.message, pauseMs: Math.round(pause) });
      await paused(pause, run.signal);
    }
  }
}

async function tryOnce(run: RunContext, request: StepRequest, ran: { tools: number }): Promise<StepResult> {
  const { ai, model, events, budget, settings } = run;
  using silence = new Silence(settings.quietMs);
  const { schema, tools, messages, instructions, toolChoice } = request;
  const result = ai.streamText({
    model,
    instructions,
    messages: [...messages],
    ...(Object.keys(tools).length === 0 ? {} : { tools, toolChoice }),
    ...(schema === undefined ? {} : { output: answerFormat(schema) }),
    ...(budget.answerTokens === undefined ? {} : { maxOutputTokens: budget.answerTokens }),
    stopWhen: ai.isStepCount(1),
    onToolExecutionStart: () => {
      ran.tools += 1;
      // From here on it is a tool that takes its time.
      silence.end();
    },
    toolCallConcurrency: LOOP_LIMITS.maxParallelTools,
    // Calls are repeated here, where it is seen; naming a number of retries is what makes tools wait for the end.
    maxRetries: 0,
    streamRetries: 0,
    onError: () => undefined,
    abortSignal: AbortSignal.any([run.signal, silence.signal]),
    // Schemas of callers are not as some providers' strict mode wants them; they are checked here anyway.
    // What an agent reads is not to be kept: each call sends the whole conversation.
    providerOptions: {
      openai: { strictJsonSchema: false, store: false },
      openaiCompatible: { strictJsonSchema: false },
    },
  });

  run.text = "";
  let characters = 0;
  let toolCalls = 0;
  /** What the run calls the uses of tools that can't be. */
  const unusable = new Map<string, string>();
  let finish: Finish = { reason: "other", said: undefined };
  for await (const part of result.stream) {
    silence.over();
    switch (part.type) {
      case "text-delta":
        run.text += part.text;
        characters += part.text.length;
        if (part.text !== "") events.write({ type: "text", text: part.text });
        break;
      case "reasoning-delta":
        characters += part.text.length;
        if (part.text !== "") events.write({ type: "reasoning", text: part.text });
        break;
      case "tool-input-delta":
        characters += part.delta.length;
        break;
      case "tool-call":
        toolCalls += 1;
        if (part.invalid === true) {
          const { toolCallId, toolName: tool, input } = part;
          const callId = run.callIds.unique(toolCallId);
          unusable.set(toolCallId, callId);
          events.write({ type: "tool_call", callId, tool, input });
        }
        break;
      case "tool-error": {
        // A tool of ours never throws: the model has asked for one that there is not, or with what it can't use.
        const { toolCallId, toolName: tool, error } = part;
        const callId = unusable.get(toolCallId) ?? toolCallId;
        const output = error instanceof Error ? error.message : String(error);
        events.write({ type: "tool_result", callId, tool, ok: false, output: output.slice(0, 1_000) });
        break;
      }
      case "finish-step": {
        const { inputTokens = 0, outputTokens = 0, totalTokens = inputTokens + outputTokens } = part.usage;
        const usage = { inputTokens, outputTokens, totalTokens };
        budget.count(usage);
        events.write({ type: "usage", ...usage });
        finish = { reason: part.finishReason, said: part.rawFinishReason };
        break;
      }
      case "error":
        throw part.error;
      case "abort":
        throw silence.signal.aborted ? silence.signal.reason : run.signal.reason;
    }
    if (characters > LOOP_LIMITS.maxAnswerCharacters)
      throw failed(`The model's answer has more than ${LOOP_LIMITS.maxAnswerCharacters} characters.`);
  }
  checkFinish(run, finish, toolCalls);
  budget.toolCalls += toolCalls;
  return { text: run.text, messages: await result.responseMessages, toolCalls };
}

/** How an answer ended. */
interface Finish {
  readonly reason: FinishReason;
  /** In the provider's own word; undefined where the stream just stopped. */
  readonly said: string | undefined;
}

/** An answer that was cut off is none, and none of its tools has run. */
function checkFinish({ budget }: RunContext, { reason, said }: Finish, toolCalls: number): void {
  switch (reason) {
    case "stop":
    case "tool-calls":
      return;
    case "length":
      if (budget.tokensLeft === 0) throw budget.outOfTokens();
      throw failed("The model's answer was cut off: it is longer than its provider allows.", {
        next: "Ask for less at once, or use a model that may say more.",
      });
    case "content-filter":
      throw failed("The model's provider withheld the answer (content filter).", {
        next: "Put the task in other words, or use another model.",
      });
    default:
      // Words of their own are how some servers end a whole answer.
      if (reason === "other" && said !== undefined && toolCalls === 0) return;
      throw new Error(said === undefined ? "its stream just stopped" : `it ended with ${said}`);
  }
}

/** Aborts when the provider has been silent for too long. */
class Silence implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #isEnded = false;

  constructor(quietMs: number) {
    this.#timer = setTimeout(() => this.#controller.abort(new SilentProvider(quietMs)), quietMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** It has said something. */
  over(): void {
    if (!this.#isEnded) this.#timer.refresh();
  }

  /** Nobody waits for it any more. */
  end(): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
  }

  [Symbol.dispose](): void {
    this.end();
  }
}

async function paused(durationMs: number, signal: AbortSignal): Promise<void> {
  await sleep(durationMs, undefined, { signal }).catch((thrown) => {
    signal.throwIfAborted();
    throw thrown;
  });
}
