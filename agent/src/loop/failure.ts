import { CmdopError } from "@cmdop/proto";
import { z } from "zod";
import type { AiSdk } from "./run-context.ts";

/** Most characters of a provider's message that an error quotes. */
const MAX_QUOTED_CHARACTERS = 500;

/** Google's form of Retry-After: a field in the body of the refusal. */
const retryInfo = z.object({
  error: z.object({
    details: z.array(
      z.union([
        z.object({ retryDelay: z.string().regex(/^\d+(\.\d+)?s$/) }),
        z.unknown().transform(() => undefined),
      ]),
    ),
  }),
});

/** Error texts of servers whose model can't use tools. */
const NO_TOOLS = /(?:not support|unsupported).{0,40}\btools?\b|\btools?\b.{0,40}(?:not support|unsupported)/i;
const TAKES_NO_TOOLS =
  "Use a model that takes tools (CMDOP_MODEL, or model.json), or the agent type chat, which needs none.";

/** A failed call of the model. */
export interface ModelFailure {
  readonly error: CmdopError;
  /** True if the same call may succeed a little later. */
  readonly passes: boolean;
  /** The pause that the provider asks for, in milliseconds; undefined if it names none. */
  readonly pauseMs: number | undefined;
}

/** Classifies an error of a model call, thrown or sent in the stream. */
export function modelFailure(ai: AiSdk, thrown: unknown): ModelFailure {
  if (thrown instanceof CmdopError)
    return { error: thrown, passes: thrown instanceof SilentProvider, pauseMs: undefined };
  if (ai.APICallError.isInstance(thrown)) {
    const { statusCode, isRetryable, responseHeaders, data } = thrown;
    const next = NO_TOOLS.test(thrown.message) ? TAKES_NO_TOOLS : nextOf(statusCode);
    const status = statusCode === undefined ? "can't be reached" : `answered with status ${statusCode}`;
    return {
      error: failed(`The model's provider ${status}: ${quoted(thrown.message)}`, { cause: thrown, next }),
      passes: isRetryable,
      pauseMs: pauseOf(responseHeaders ?? {}) ?? pauseInBody(data),
    };
  }
  // The answer broke off or was malformed: the next attempt may succeed.
  const error = failed(`The model's answer broke off: ${quoted(messageOf(thrown))}`, { cause: thrown });
  return { error, passes: true, pauseMs: undefined };
}

/** Thrown when the provider has sent nothing for too long. */
export class SilentProvider extends CmdopError {
  constructor(quietMs: number) {
    super("ModelFailed", `The model's provider has said nothing for ${quietMs} ms.`);
  }
}

/** Returns a failure that another attempt would not cure. */
export function failed(
  message: string,
  options: { cause?: unknown; next?: string | undefined } = {},
): CmdopError {
  return new CmdopError("ModelFailed", message, options);
}

/** Returns the next step for a status; undefined where the provider's own message has to do. */
function nextOf(status: number | undefined): string | undefined {
  switch (status) {
    case undefined:
      return "Check the machine's model server: does it run, and is its address right (CMDOP_MODEL_BASE_URL, or baseUrl in model.json)?";
    case 401:
    case 403:
      return "Check the machine's model key: CMDOP_MODEL_API_KEY in the environment of the machine's agent, or apiKey in its model.json.";
    case 404:
      return "Check the machine's model: its name and its address (CMDOP_MODEL, CMDOP_MODEL_BASE_URL, or model.json).";
    case 429:
      return "Check the machine's model quota with its provider, or run this again later.";
    default:
      return undefined;
  }
}

function pauseOf(headers: Readonly<Record<string, string>>): number | undefined {
  const milliseconds = Number.parseFloat(headers["retry-after-ms"] ?? "");
  if (milliseconds >= 0) return milliseconds;
  const after = headers["retry-after"] ?? "";
  const seconds = /^[\d.]+$/.test(after) ? Number(after) : (Date.parse(after) - Date.now()) / 1000;
  return seconds >= 0 ? seconds * 1000 : undefined;
}

function pauseInBody(data: unknown): number | undefined {
  const { details } = retryInfo.safeParse(data).data?.error ?? { details: [] };
  const delay = details.find((detail) => detail !== undefined)?.retryDelay;
  return delay === undefined ? undefined : Math.ceil(Number.parseFloat(delay) * 1000);
}

function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  return typeof thrown === "string" ? thrown : (JSON.stringify(thrown) ?? String(thrown));
}

function quoted(text: string): string {
  return text.length > MAX_QUOTED_CHARACTERS ? `${text.slice(0, MAX_QUOTED_CHARACTERS)}…` : text;
}
