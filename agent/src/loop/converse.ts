import { CmdopError } from "@cmdop/proto";
import type { ModelMessage, ToolChoice, ToolSet } from "ai";
import { shortenOldOutput } from "./context-window.ts";
import { modelStep, type StepResult } from "./model-step.ts";
import type { RunContext } from "./run-context.ts";
import type { OutputSchema } from "./schema/output-schema.ts";
import { DATA_RULE } from "./tools/data.ts";

/** A conversation with the model, to its answer. */
export interface Talk {
  /** Who the model is here, and what it is to do. */
  readonly instructions: string;
  /** What it is asked. */
  readonly prompt: string;
  /** What it may use; nothing unless given. */
  readonly tools?: ToolSet | undefined;
  /** How freely it may use them in its nth call, from 1; as it likes unless given. */
  readonly toolChoice?: ((call: number) => ToolChoice<ToolSet>) | undefined;
  /** What the answer must match; words unless given. */
  readonly schema?: OutputSchema | undefined;
}

/** The model's answer. */
export interface Answer {
  readonly text: string;
  /** What matches the schema, where one was given. */
  readonly output: unknown;
}

/**
 * Calls the model until it answers rather than asks for tools. An answer that
 * does not match its schema is given back once, with what is wrong with it.
 * @throws CmdopError OutputInvalid, and as modelStep
 */
export async function converse(run: RunContext, talk: Talk): Promise<Answer> {
  const { schema, tools = {}, toolChoice = () => "auto" } = talk;
  const messages: ModelMessage[] = [{ role: "user", content: talk.prompt }];
  const hasTools = Object.keys(tools).length > 0;
  const instructions = [
    talk.instructions,
    run.place,
    ...(hasTools ? [DATA_RULE] : []),
    ...(schema !== undefined && needsWords(run) ? [schemaInWords(schema)] : []),
  ].join("\n\n");

  const call = async (choice: ToolChoice<ToolSet>, format: OutputSchema | undefined): Promise<StepResult> => {
    const step = await modelStep(run, { instructions, messages, tools, toolChoice: choice, schema: format });
    messages.push(...step.messages);
    const characters = shortenOldOutput(messages);
    if (characters > 0) run.events.write({ type: "shortened", characters });
    return step;
  };

  // Servers that run models themselves take a format as an order to call no tool.
  const format = hasTools && needsWords(run) ? undefined : schema;
  let step = await call(toolChoice(1), format);
  for (let number = 2; step.toolCalls > 0; number += 1) step = await call(toolChoice(number), format);
  if (schema === undefined) return { text: step.text, output: undefined };

  const first = await run.read(schema, step.text);
  if (first.ok) return { text: step.text, output: first.output };
  run.events.write({ type: "repair", errors: first.errors });
  messages.push({
    role: "user",
    content: `Your answer does not match the schema that it must match:\n${first.errors}\nAnswer again, with the corrected JSON object and nothing else.`,
  });
  const again = await call("none", schema);
  const second = await run.read(schema, again.text);
  if (second.ok) return { text: again.text, output: second.output };
  throw new CmdopError(
    "OutputInvalid",
    `The model's answer does not match the output schema, not even when it was told so: ${second.errors}`,
  );
}

/** Whether the provider may not know schemas: then the instructions say it, too. */
function needsWords({ settings }: RunContext): boolean {
  return settings.provider === "openai-compatible";
}

function schemaInWords({ text }: OutputSchema): string {
  return `When you answer, answer with one JSON object that matches this JSON Schema, and with nothing else:\n${text}`;
}
