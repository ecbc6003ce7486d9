import path from "node:path";
import { CmdopError, readPrivateFile } from "@cmdop/proto";
import { z } from "zod";
import { modelEnvironment, PROVIDERS } from "./model-environment.ts";
import { goesUnread } from "./model-fetch.ts";

export type ProviderName = keyof typeof PROVIDERS;

/** Default of `quietMs`, in milliseconds: large models think for a minute before the first word. */
const DEFAULT_QUIET_MS = 120_000;

/** Largest `quietMs`: one hour, for the slowest machines that run their model themselves. */
const MAX_QUIET_MS = 3_600_000;

const EXAMPLE = '{"model": "anthropic:MODEL", "apiKey": "…"}';
const HOW = `Set CMDOP_MODEL=provider:model (${Object.keys(PROVIDERS).join(", ")}) and CMDOP_MODEL_API_KEY in the environment of the machine's agent; or write ${EXAMPLE} into model.json in its state directory (~/.cmdop/agent, or agent in CMDOP_HOME), and chmod 600 it.`;

/** One printable word: it is sent in a header, and is searched for in everything that is written down. */
const apiKeySchema = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,4096}$/);

/** Keys shorter than this are not secret: no provider issues such short ones. */
const MIN_SECRET_CHARACTERS = 8;

/** Longer placeholders, used with local model servers that accept any key. */
const PLACEHOLDERS: readonly string[] = [
  "lm-studio",
  "llama.cpp",
  "llama-cpp",
  "no-key-required",
  "sk-no-key-required",
  "not-needed",
  "not-required",
  "placeholder",
];

const fileSchema = z.strictObject({
  /** `provider:model`. */
  model: z.string(),
  /** The provider's address, if it is not the usual one. */
  baseUrl: z.string().optional(),
  apiKey: z.string().optional(),
  /** Longest silence of the provider within an answer, in milliseconds. Default: DEFAULT_QUIET_MS. */
  quietMs: z.int().min(1).max(MAX_QUIET_MS).default(DEFAULT_QUIET_MS),
});

/** The settings of the machine's model. */
export interface ModelSettings {
  readonly provider: ProviderName;
  readonly modelId: string;
  readonly baseUrl: string | undefined;
  /** Undefined for a provider that needs no key. */
  readonly apiKey: string | undefined;
  readonly quietMs: number;
}

/**
 * Loads the settings of the machine's model, anew for each run: from CMDOP_MODEL and the variables beside it,
 * or else from `model.json` in the state directory.
 * @throws CmdopError ModelMissing, saying what to set; AccessDenied if others can read the file
 */
export async function loadModelSettings(
  stateDir: string,
  env: NodeJS.ProcessEnv = modelEnvironment(),
): Promise<ModelSettings> {
  const { CMDOP_MODEL: model, CMDOP_MODEL_BASE_URL: baseUrl, CMDOP_MODEL_API_KEY: apiKey } = env;
  if (model) return settings({ model, baseUrl, apiKey, quietMs: DEFAULT_QUIET_MS }, env, "CMDOP_MODEL");
  const text = readPrivateFile(path.join(stateDir, "model.json"));
  if (text === undefined) throw missing("This machine has no model, and an agent can't think without one.");
  const parsed = fileSchema.safeParse(parseJson(text));
  // Messages must quote neither the file nor the parser's error: the file holds a key.
  if (!parsed.success) {
    const where = parsed.error.issues.map((issue) => issue.path.join(".") || "the whole file").join(", ");
    throw missing(`The machine's model.json can't be used. Invalid: ${where}.`);
  }
  return settings(parsed.data, env, "model.json");
}

function settings(given: z.infer<typeof fileSchema>, env: NodeJS.ProcessEnv, from: string): ModelSettings {
  const [, name = "", modelId = ""] = /^([^:]*):(.*)$/s.exec(given.model) ?? [];
  if (!isProvider(name) || !/^[\x21-\x7e]{1,200}$/.test(modelId)) {
    throw missing(`The model in ${from} is not provider:model with a provider that this agent knows.`);
  }
  const baseUrl = given.baseUrl ? checkedUrl(given.baseUrl, from) : undefined;
  if (name === "openai-compatible" && baseUrl === undefined) {
    throw missing(`The model in ${from} is openai-compatible, and its address is missing.`, {
      next: "Set CMDOP_MODEL_BASE_URL (baseUrl in model.json), for example http://127.0.0.1:11434/v1.",
    });
  }
  const usual = PROVIDERS[name].map((variable) => env[variable]).find(Boolean);
  const apiKey = given.apiKey || usual || undefined;
  if (apiKey === undefined && name !== "openai-compatible") {
    const variables = ["CMDOP_MODEL_API_KEY", ...PROVIDERS[name]].join(" or ");
    throw missing(`The model of this machine is ${name}'s, and there is no key for it.`, {
      next: `Set ${variables} in the environment of the machine's agent, or apiKey in model.json in its state directory.`,
    });
  }
  if (apiKey !== undefined && !apiKeySchema.safeParse(apiKey).success) {
    throw missing(
      `The key of the machine's model is not valid: it must be one word of at most 4,096 printable ASCII characters, without " and \\.`,
    );
  }
  return { provider: name, modelId, baseUrl, apiKey, quietMs: given.quietMs };
}

/**
 * Returns the key if it is a secret, to be removed from everything that is written down. A word such as
 * `ollama`, which local servers accept as a key, is not secret and stays.
 */
export function secretOf({ apiKey }: Pick<ModelSettings, "apiKey">): string | undefined {
  if (apiKey === undefined || apiKey.length < MIN_SECRET_CHARACTERS) return undefined;
  return PLACEHOLDERS.includes(apiKey.toLowerCase()) ? undefined : apiKey;
}

function checkedUrl(text: string, from: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username || url.password) {
    throw missing(
      `The base URL of the model in ${from} must be an http or https address without a user or password.`,
    );
  }
  if (!goesUnread(url)) {
    throw missing(`The base URL of the model in ${from} is plain http to another machine.`, {
      next: "Use https, or a model on this same machine (http://127.0.0.1): what an agent reads goes to its model.",
    });
  }
  return text;
}

function isProvider(name: string): name is ProviderName {
  return Object.hasOwn(PROVIDERS, name);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

function missing(message: string, { next = HOW }: { next?: string } = {}): CmdopError {
  return new CmdopError("ModelMissing", message, { next });
}
