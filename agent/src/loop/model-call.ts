import type { ModelMessage, TextStreamPart, ToolChoice, ToolSet } from "ai";
import { failed } from "./failure.ts";
import { checkFinish, type Finish } from "./finish.ts";
import { LOOP_LIMITS } from "./limits.ts";
import type { Manner, Used } from "./manners.ts";
import { hasReasoning, spoken, withoutReasoning } from "./messages.ts";
import { openModel } from "./providers.ts";
import type { RunContext } from "./run-context.ts";
import { answerFormat } from "./schema/answer-format.ts";
import { inWords, type OutputSchema } from "./schema/output-schema.ts";
import { Silence } from "./silence.ts";
import { type Piece, ThoughtSplitter } from "./thoughts.ts";

/** One call of the model. */
export interface StepRequest {
  readonly instructions: string;
  readonly messages: readonly ModelMessage[];
  readonly tools: ToolSet;
  readonly toolChoice: ToolChoice<ToolSet>;
  /** Schema that the answer must match. */
  readonly schema: OutputSchema | undefined;
}

/** The result of one model call. */
export interface StepResult {
  /** The answer's text, without thoughts. */
  readonly text: string;
  /** A thought without an end: the model may have left out the tag before its answer. */
  readonly unended: string;
  /** The model's messages and the results of its tool calls, to be sent with the next call. */
  readonly messages: readonly ModelMessage[];
  readonly toolCalls: number;
}

/** One attempt at an answer. */
export class ModelCall {
  readonly #run: RunContext;
  readonly #request: StepRequest;
  readonly #thoughts: ThoughtSplitter;
  #manner: Manner;
  /** The parts of this call that a provider may refuse. */
  readonly used: Used;
  /** Number of tools that have begun to run. */
  toolsRun = 0;
  /** Characters of text, thoughts and tool arguments so far. */
  #characters = 0;
  #toolCalls = 0;
  /** Text of the thoughts so far. */
  #thought = "";
  /** Ids in this run of tool calls that can't be carried out, by the provider's id. */
  readonly #unusable = new Map<string, string>();
  #finish: Finish = { reason: "other", said: undefined };

  constructor(run: RunContext, request: StepRequest, manner: Manner) {
    this.#run = run;
    this.#request = request;
    this.#manner = manner;
    this.#thoughts = new ThoughtSplitter(manner.thinksUnopened);
    this.used = usedBy(run, request, manner);
  }

  /** The options of its model, as far as known now. */
  get manner(): Manner {
    return this.#manner;
  }

  /**
   * Calls the model and reads its answer.
   * @throws the errors of the provider's library, or the reason why the run ends
   */
  async answer(): Promise<StepResult> {
    const run = this.#run;
    using silence = new Silence(run.settings.quietMs);
    const result = await this.#begin(silence);
    run.text = "";
    for await (const part of result.stream) {
      silence.over();
      if (part.type === "abort") throw silence.signal.aborted ? silence.signal.reason : run.signal.reason;
      this.#take(part);
      if (this.#characters > LOOP_LIMITS.maxAnswerCharacters)
        throw failed(`The model's answer has more than ${LOOP_LIMITS.maxAnswerCharacters} characters.`);
    }
    this.#say(this.#thoughts.end());
    checkFinish(run.budget, this.#finish, this.#toolCalls);
    run.budget.toolCalls += this.#toolCalls;
    return {
      text: run.text,
      unended: this.#thoughts.isThinking ? this.#thought : "",
      messages: spoken(await result.responseMessages),
      toolCalls: this.#toolCalls,
    };
  }

  async #begin(silence: Silence) {
    const { ai, budget, settings, signal } = this.#run;
    const { schema, tools, messages, instructions, toolChoice } = this.#request;
    const { used } = this;
    const manner = this.#manner;
    const form = used.tools ? manner.formWithTools : manner.form;
    const tokens = manner.tokenLimit ? budget.answerTokens : undefined;
    const saysSchema =
      schema !== undefined && (form !== "schema" || settings.provider === "openai-compatible");
    return ai.streamText({
      model: manner.usage ? this.#run.model : await openModel(settings, { asksUsage: false }),
      instructions: saysSchema ? `${instructions}\n\n${inWords(schema)}` : instructions,
      messages: manner.thoughts ? [...messages] : withoutReasoning(messages),
      ...(used.tools ? { tools, toolChoice: manner.toolChoice ? toolChoice : "auto" } : {}),
      ...(used.form ? { output: answerFormat(form === "schema" ? schema : undefined) } : {}),
      ...(tokens === undefined ? {} : { maxOutputTokens: tokens }),
      stopWhen: ai.isStepCount(1),
      onToolExecutionStart: () => {
        this.toolsRun += 1;
        // From now on a tool is running, and the provider's silence is no fault.
        silence.end();
      },
      toolCallConcurrency: LOOP_LIMITS.maxParallelTools,
      // modelStep repeats calls, so that events show it. With an explicit number of retries the SDK starts
      // tools only once the whole answer is there.
      maxRetries: 0,
      streamRetries: 0,
      onError: () => undefined,
      abortSignal: AbortSignal.any([signal, silence.signal]),
      // Callers' schemas do not fit the strict mode of some providers; answers are checked here anyway.
      // Providers must not store the conversation (store: false): each call sends all of it again.
      providerOptions: {
        openai: { strictJsonSchema: false, store: false },
        openaiCompatible: { strictJsonSchema: false },
      },
    });
  }

  #take(part: TextStreamPart<ToolSet>): void {
    const { events, budget, callIds } = this.#run;
    switch (part.type) {
      case "text-delta":
        this.#characters += part.text.length;
        this.#say(this.#thoughts.push(part.text));
        break;
      case "text-end":
        this.#say(this.#thoughts.end());
        break;
      case "reasoning-delta":
        this.#characters += part.text.length;
        if (part.text !== "") events.write({ type: "reasoning", text: part.text });
        break;
      case "tool-input-delta":
        this.#characters += part.delta.length;
        break;
      case "tool-call":
        this.#toolCalls += 1;
        if (part.invalid === true) {
          const { toolCallId, toolName: tool, input } = part;
          const callId = callIds.unique(toolCallId);
          this.#unusable.set(toolCallId, callId);
          events.write({ type: "tool_call", callId, tool, input });
        }
        break;
      case "tool-error": {
        // Our tools never throw: the model has asked for an unknown tool, or with invalid arguments.
        const { toolCallId, toolName: tool, error } = part;
        const callId = this.#unusable.get(toolCallId) ?? toolCallId;
        const output = error instanceof Error ? error.message : String(error);
        events.write({ type: "tool_result", callId, tool, ok: false, output: output.slice(0, 1_000) });
        break;
      }
      case "finish-step": {
        const { inputTokens = 0, outputTokens = 0, totalTokens = inputTokens + outputTokens } = part.usage;
        const usage = { inputTokens, outputTokens, totalTokens };
        budget.count(usage);
        events.write({ type: "usage", ...usage });
        this.#finish = { reason: part.finishReason, said: part.rawFinishReason };
        break;
      }
      case "error":
        throw part.error;
    }
  }

  /** Writes the model's words as events: text as text, thoughts as reasoning. */
  #say(pieces: readonly Piece[]): void {
    const run = this.#run;
    for (const { kind, text } of pieces) {
      if (kind === "text") {
        run.text += text;
        run.events.write({ type: "text", text });
      } else if (kind === "thought") {
        this.#thought += text;
        run.events.write({ type: "reasoning", text });
      } else {
        run.text = "";
        run.events.write({ type: "revoked" });
        // From now on its text is held back until such an end, so that nothing has to be revoked.
        this.#manner = { ...this.#manner, thinksUnopened: true };
      }
    }
  }
}

function usedBy({ settings, budget }: RunContext, request: StepRequest, manner: Manner): Used {
  const { schema, tools: offered, toolChoice, messages } = request;
  const tools = Object.keys(offered).length > 0;
  const isCompatible = settings.provider === "openai-compatible";
  const form = tools ? manner.formWithTools : manner.form;
  return {
    // Servers of local models take a response format as an order to call no tool.
    form: schema !== undefined && form !== "words" && !(isCompatible && tools && toolChoice !== "none"),
    tools,
    toolChoice: tools && toolChoice !== "auto",
    tokenLimit: budget.answerTokens !== undefined,
    usage: isCompatible,
    thoughts: isCompatible && hasReasoning(messages),
  };
}
