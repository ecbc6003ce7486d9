import { createHash, randomBytes } from "node:crypto";
import { BoundedMap } from "@cmdop/kit";
import {
  CLIENT_CAPABILITIES_META_KEY,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type McpServer,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { MAX_ASKS_OF_A_CALL, MAX_OPEN_ASKS, MAX_REASON_CHARS } from "./limits.ts";
import { OwnError } from "./own-error.ts";
import type { AskedUse, AskPerson, PersonsWord } from "./tool.ts";

/** The one question of a round. */
const KEY = "word";

const FORM = {
  type: "object" as const,
  properties: {
    allow: { type: "boolean" as const, title: "Allow it", default: false },
    reason: {
      type: "string" as const,
      title: "Why not? The agent is told",
      maxLength: MAX_REASON_CHARS,
    },
  },
  required: ["allow"],
};

/** What a person has put into the form; whatever else comes is no yes. */
const filled = z.object({ allow: z.boolean(), reason: z.string().max(MAX_REASON_CHARS).default("") });

/** The modern protocol says with each call what a client can do, the older one once. */
const declaredWithCall = z.object({
  [CLIENT_CAPABILITIES_META_KEY]: z.object({
    elicitation: z.object({ form: z.unknown(), url: z.unknown() }).partial().optional(),
  }),
});

/** A call that had to ask. */
export interface AskingCall {
  readonly tool: string;
  readonly args: unknown;
  readonly mcp: ServerContext;
}

/** A question that is with the client. */
interface OpenAsk {
  readonly about: AskedUse;
  /** Of whose call, and with which arguments. */
  readonly bound: string;
  /** The how manieth question of the same call. */
  readonly round: number;
}

/**
 * The questions that clients of the modern protocol take to their person: the
 * call is answered with the question, and made again with the word. A client
 * can send any answer at any time: one counts only with the random mark of its
 * question, once, from the same client, for the same call.
 */
export class OpenAsks {
  readonly #asks = new BoundedMap<string, OpenAsk>(MAX_OPEN_ASKS);

  /** The question as MCP carries it; undefined where the same call has asked often enough. */
  put({ about, message }: AskPerson, call: AskingCall, round: number): InputRequiredResult | undefined {
    if (round > MAX_ASKS_OF_A_CALL) return undefined;
    const mark = randomBytes(16).toString("base64url");
    this.#asks.set(mark, { about, bound: boundTo(call), round });
    const question = inputRequired.elicit({ message, requestedSchema: FORM });
    return inputRequired({ inputRequests: { [KEY]: question }, requestState: mark });
  }

  /**
   * The word that a call brings, and in which round; undefined for a call that brings none.
   * @throws CmdopError ApprovalRefused for a word that answers no question of ours
   */
  take(call: AskingCall): { readonly word: PersonsWord; readonly round: number } | undefined {
    const { requestState, inputResponses } = call.mcp.mcpReq;
    const mark = requestState();
    if (mark === undefined) return undefined;
    const ask = typeof mark === "string" ? this.#asks.get(mark) : undefined;
    if (typeof mark === "string") this.#asks.delete(mark);
    if (ask === undefined || ask.bound !== boundTo(call)) {
      throw new OwnError("ApprovalRefused", "This answer belongs to no question of this server.", {
        next: "Each question takes one answer, to the same call. agent_wait asks again what still waits.",
      });
    }
    const said = inputResponse(inputResponses, KEY);
    return { word: wordOf(ask.about, said.kind === "elicit" ? said : undefined), round: ask.round };
  }
}

/** Whether a client can put a form before its person. */
export function canAsk({ server }: McpServer, { mcpReq }: ServerContext): boolean {
  const said = declaredWithCall.safeParse(mcpReq.envelope).data?.[CLIENT_CAPABILITIES_META_KEY];
  const { elicitation } = said ?? server.getClientCapabilities() ?? {};
  // An empty one means forms; one that names addresses only means them alone.
  return elicitation !== undefined && (elicitation.form !== undefined || elicitation.url === undefined);
}

/** Asks the person behind a client of the older protocol while its call stays open; undefined where no word came in time. */
export async function askNow(
  { about, message }: AskPerson,
  { mcpReq }: ServerContext,
  { timeoutMs, report }: { timeoutMs: number; report: (error: unknown) => void },
): Promise<PersonsWord | undefined> {
  try {
    const form = { message, requestedSchema: FORM };
    return wordOf(about, await mcpReq.elicitInput(form, { signal: mcpReq.signal, timeout: timeoutMs }));
  } catch (thrown) {
    if (!mcpReq.signal.aborted) report(thrown);
    return undefined;
  }
}

interface Said {
  readonly action: "accept" | "decline" | "cancel";
  readonly content?: unknown;
}

/** Anything but a form with a yes in it is a no. */
function wordOf(about: AskedUse, said: Said | undefined): PersonsWord {
  const form = said?.action === "accept" ? filled.safeParse(said.content).data : undefined;
  return { about, answer: form?.allow === true ? "yes" : "no", reason: form?.reason ?? "" };
}

/** A hash of who calls what, with which arguments. */
function boundTo({ tool, args, mcp }: AskingCall): string {
  const principal = mcp.http?.authInfo?.clientId ?? "";
  return createHash("sha256")
    .update(JSON.stringify([principal, tool, args], sortKeys))
    .digest("base64url");
}

/** Clients may send the same arguments in another order. */
function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}
