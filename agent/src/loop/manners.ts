import { BoundedMap } from "@cmdop/kit";
import { z } from "zod";
import type { AiSdk } from "./run-context.ts";
import type { ModelSettings } from "./settings.ts";

/**
 * How a model is told what its answer must look like: by its provider with the
 * schema, by its provider as any JSON, or in words alone. Words are said too
 * where the provider may not know schemas.
 */
export type AnswerForm = "schema" | "json" | "words";

/** How one model is called: what its provider has refused before is not sent again. */
export interface Manner {
  readonly form: AnswerForm;
  /** The same where tools are offered: some providers take one or the other. */
  readonly formWithTools: AnswerForm;
  /** Whether a tool may be named that is to be used, or none. */
  readonly toolChoice: boolean;
  /** Whether an answer may be given a limit of tokens. */
  readonly tokenLimit: boolean;
  /** Whether tokens may be asked for (`stream_options`). */
  readonly usage: boolean;
  /** Whether the model's thoughts may be sent back to it. */
  readonly thoughts: boolean;
  /** Whether its thoughts end without having begun, so that its text waits for such an end. */
  readonly thinksUnopened: boolean;
}

/** What a call has in it that a provider may refuse. */
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

/** Models that one agent calls in its life: their settings are read anew for each run. */
const MAX_MODELS = 100;

/** Answers to a request that is not as the provider wants it. */
const REFUSALS: ReadonlySet<number> = new Set([400, 422]);

/** The words by which a refusal names what it refuses. */
const NAMES = {
  usage: /stream_options|include_usage/i,
  tokenLimit: /max_(?:completion_|output_|new_)?tokens|maxOutputTokens/i,
  toolChoice: /tool_choice|tool choice|toolConfig|function_calling_config/i,
  thoughts: /reasoning_content|"reasoning"|'reasoning'/i,
  form: /response_?format|response_?mime|response_?(?:json_?)?schema|json_?schema|json_?object|structured|grammar|output_config/i,
} as const;

/** A refusal of the conversation itself: no other manner would help. */
const TOO_LONG = /context.{0,20}(?:length|window|size)|too (?:long|many tokens)/i;

/** What each provider knows below a schema. */
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

/** What is known of models, for the life of this process. */
export class Manners {
  readonly #known = new BoundedMap<string, Manner>(MAX_MODELS);

  of(settings: ModelSettings): Manner {
    return this.#known.get(keyOf(settings)) ?? USUAL;
  }

  /** To be told what has worked, and nothing else: a bad minute of a provider is no refusal. */
  remember(settings: ModelSettings, manner: Manner): void {
    if (manner !== this.of(settings)) this.#known.set(keyOf(settings), manner);
  }
}

/**
 * The manner to try next, where a call was refused: without what the refusal
 * names, or, where it names nothing, with less said about the answer. Undefined
 * where nothing is left to leave out.
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

/** Whether a request was refused for what is in it. */
export function isRefusal(ai: AiSdk, thrown: unknown): boolean {
  // Some servers send their status within a stream that began well.
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
