import { BoundedMap } from "@cmdop/kit";
import { z } from "zod";
import type { AiSdk } from "./run-context.ts";
import type { ModelSettings } from "./settings.ts";

/**
 * The way in which a model learns the required form of its answer: its provider gets the schema, or is asked
 * for any JSON, or the instructions alone say it. They say it too where the provider may not know schemas.
 */
export type AnswerForm = "schema" | "json" | "words";

/** The options that one model's provider accepts: an option that it has refused is not sent again. */
export interface Manner {
  readonly form: AnswerForm;
  /** The same for calls with tools: some providers accept either tools or a form. */
  readonly formWithTools: AnswerForm;
  /** True if a call may require a certain tool, or forbid tools. */
  readonly toolChoice: boolean;
  /** True if a call may limit the tokens of the answer. */
  readonly tokenLimit: boolean;
  /** True if a call may ask for token counts (`stream_options`). */
  readonly usage: boolean;
  /** True if the model's thoughts may be sent back to it. */
  readonly thoughts: boolean;
  /** True if its thoughts have an end tag but no start tag; its text is then held back until such an end. */
  readonly thinksUnopened: boolean;
}

/** The parts of a call that a provider may refuse. */
export interface Used {
  readonly form: boolean;
  readonly tools: boolean;
  readonly toolChoice: boolean;
  readonly tokenLimit: boolean;
  readonly usage: boolean;
  readonly thoughts: boolean;
}

const USUAL: Manner = {
  form: "schema",
  formWithTools: "schema",
  toolChoice: true,
  tokenLimit: true,
  usage: true,
  thoughts: true,
  thinksUnopened: false,
};

/** Models that are remembered. Settings are read anew for each run, so one agent may call several. */
const MAX_MODELS = 100;

/** HTTP statuses of a request that the provider does not accept. */
const REFUSALS: ReadonlySet<number> = new Set([400, 422]);

/** Patterns of the names by which a refusal mentions the refused part. */
const NAMES = {
  usage: /stream_options|include_usage/i,
  tokenLimit: /max_(?:completion_|output_|new_)?tokens|maxOutputTokens/i,
  toolChoice: /tool_choice|tool choice|toolConfig|function_calling_config/i,
  thoughts: /reasoning_content|"reasoning"|'reasoning'/i,
  form: /response_?format|response_?mime|response_?(?:json_?)?schema|json_?schema|json_?object|structured|grammar|output_config/i,
} as const;

/** Pattern of a refusal because the conversation is too long: other options would not help. */
const TOO_LONG = /context.{0,20}(?:length|window|size)|too (?:long|many tokens)/i;

/** The next simpler form after each form. */
const LESSER: Readonly<Record<AnswerForm, AnswerForm | undefined>> = {
  schema: "json",
  json: "words",
  words: undefined,
};

const withStatus = z.union([
  z.object({ code: z.number() }).transform(({ code }) => code),
  z.object({ status: z.number() }).transform(({ status }) => status),
  z.object({ statusCode: z.number() }).transform(({ statusCode }) => statusCode),
]);

/** The options that each model has accepted, kept while the process lives. */
export class Manners {
  readonly #known = new BoundedMap<string, Manner>(MAX_MODELS);

  of(settings: ModelSettings): Manner {
    return this.#known.get(keyOf(settings)) ?? USUAL;
  }

  /**
   * Remembers options after a call has succeeded, and only then: a temporary failure of a provider is no
   * refusal.
   */
  remember(settings: ModelSettings, manner: Manner): void {
    if (manner !== this.of(settings)) this.#known.set(keyOf(settings), manner);
  }
}

/**
 * Returns the options for the next attempt after a refusal: without the part that the refusal names, or, if
 * it names none, with a simpler form. Returns undefined if nothing is left to leave out.
 */
export function lesserManner(ai: AiSdk, manner: Manner, used: Used, thrown: unknown): Manner | undefined {
  if (!isRefusal(ai, thrown)) return undefined;
  const words = wordsOf(ai, thrown);
  for (const part of ["usage", "tokenLimit", "toolChoice", "thoughts"] as const)
    if (used[part] && manner[part] && NAMES[part].test(words)) return { ...manner, [part]: false };
  if (!used.form || (TOO_LONG.test(words) && !NAMES.form.test(words))) return undefined;
  const which = used.tools ? "formWithTools" : "form";
  const lesser = LESSER[manner[which]];
  return lesser === undefined ? undefined : { ...manner, [which]: lesser };
}

/** True if the provider refused the request because of its content. */
export function isRefusal(ai: AiSdk, thrown: unknown): boolean {
  // Some servers send the status within a stream that began with success.
  const status = ai.APICallError.isInstance(thrown) ? thrown.statusCode : withStatus.safeParse(thrown).data;
  return status !== undefined && REFUSALS.has(status);
}

function wordsOf(ai: AiSdk, thrown: unknown): string {
  if (ai.APICallError.isInstance(thrown)) return `${thrown.message} ${thrown.responseBody ?? ""}`;
  return JSON.stringify(thrown) ?? "";
}

function keyOf({ provider, baseUrl, modelId }: ModelSettings): string {
  return JSON.stringify([provider, baseUrl, modelId]);
}
