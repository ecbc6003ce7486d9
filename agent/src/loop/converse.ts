import { CmdopError } from "@cmdop/proto";
import type { ModelMessage, ToolChoice, ToolSet } from "ai";
import { shortenOldOutput } from "./context-window.ts";
import { failed } from "./failure.ts";
import type { StepResult } from "./model-call.ts";
import { modelStep } from "./model-step.ts";
import type { RunContext } from "./run-context.ts";
import type { OutputSchema } from "./schema/output-schema.ts";
import { DATA_RULE } from "./tools/data.ts";

/** A conversation with the model that ends with its answer. */
export interface Talk {
  /** The model's role and its task, in general. */
  readonly instructions: string;
  /** The question or task of this conversation. */
  readonly prompt: string;
  /** Tools that the model may use. Default: none. */
  readonly tools?: ToolSet | undefined;
  /** The choice of tools in the nth call, from 1. Default: "auto". */
  readonly toolChoice?: ((call: number) => ToolChoice<ToolSet>) | undefined;
  /** Schema that the answer must match. Default: none, an answer in words. */
  readonly schema?: OutputSchema | undefined;
}

/** The model's answer. */
export interface Answer {
  readonly text: string;
  /** The value that matches the schema; undefined without a schema. */
  readonly output: unknown;
}

/** The message to a model whose answer was empty. */
const EMPTY = "Your answer is empty.";

/**
 * Calls the model until it answers instead of asking for tools. After an empty answer, or one of thoughts
 * alone, it is asked once more; an answer that does not match the schema is returned to it once, with the
 * errors.
 * @throws CmdopError ModelFailed, OutputInvalid, and as modelStep
 */
export async function converse(run: RunContext, talk: Talk): Promise<Answer> {
  const { schema, tools = {}, toolChoice = () => "auto" } = talk;
  const messages: ModelMessage[] = [{ role: "user", content: talk.prompt }];
  const hasTools = Object.keys(tools).length > 0;
  const instructions = [talk.instructions, run.place, ...(hasTools ? [DATA_RULE] : [])].join("\n\n");

  const call = async (choice: ToolChoice<ToolSet>): Promise<StepResult> => {
    const step = await modelStep(run, { instructions, messages, tools, toolChoice: choice, schema });
    // An empty answer is not sent back: some providers refuse an empty message.
    if (!isEmpty(step)) messages.push(...step.messages);
    const characters = shortenOldOutput(messages);
    if (characters > 0) run.events.write({ type: "shortened", characters });
    return step;
  };

  let isTold = false;
  let number = 1;
  let step = await call(toolChoice(number));
  while (step.toolCalls > 0 || isEmpty(step)) {
    if (step.toolCalls > 0) number += 1;
    else {
      const late = schema === undefined ? undefined : await lateAnswer(run, schema, step);
      if (late !== undefined) return late;
      if (isTold) throw emptyAnswer(step);
      isTold = true;
      run.events.write({ type: "repair", errors: EMPTY });
      say(messages, `${EMPTY} Answer now${schema === undefined ? "" : ", with the JSON object"}.`);
    }
    step = await call(toolChoice(number));
  }
  if (schema === undefined) return { text: step.text, output: undefined };

  const first = await run.read(schema, step.text);
  if (first.ok) return { text: step.text, output: first.output };
  run.events.write({ type: "repair", errors: first.errors });
  say(
    messages,
    `Your answer does not match the schema that it must match:\n${first.errors}\nAnswer again, with the corrected JSON object and nothing else.`,
  );
  const again = await call("none");
  const second = await run.read(schema, again.text);
  if (second.ok) return { text: again.text, output: second.output };
  throw new CmdopError(
    "OutputInvalid",
    `The model's answer does not match the output schema, even after it was told what was wrong: ${second.errors}`,
  );
}

/** True if the answer has neither text nor tool calls. */
function isEmpty({ text, toolCalls }: StepResult): boolean {
  return toolCalls === 0 && text.trim() === "";
}

/**
 * Reads the answer of a model that did not close its thoughts: JSON that matches the schema, at the very end.
 */
async function lateAnswer(
  run: RunContext,
  schema: OutputSchema,
  { unended }: StepResult,
): Promise<Answer | undefined> {
  if (!/[}`~]\s*$/.test(unended)) return undefined;
  const reading = await run.read(schema, unended);
  return reading.ok ? { text: JSON.stringify(reading.output), output: reading.output } : undefined;
}

/**
 * Adds a message to the model. It goes into the last message if that is the caller's, because some models
 * insist on strict turns.
 */
function say(messages: ModelMessage[], text: string): void {
  const last = messages.at(-1);
  if (last?.role !== "user" || typeof last.content !== "string")
    messages.push({ role: "user", content: text });
  else messages[messages.length - 1] = { role: "user", content: `${last.content}\n\n${text}` };
}

function emptyAnswer({ unended }: StepResult): CmdopError {
  const how = unended === "" ? "nothing" : "a thought that has no end";
  return failed(`The model has answered with ${how}, even when it was asked once more.`, {
    next: "Look at the run's events (reasoning); use another model, or let the model's server give it more tokens.",
  });
}
