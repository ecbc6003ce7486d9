import type { ClientHttp2Session } from "node:http2";
import { type CallOptions, createClient, Link, type ServiceClient, sessionChannel } from "@cmdop/proto";

/**
 * Limits of an answer: its agent is a stranger, or was one a moment ago. The largest is little more than a
 * join token.
 */
export const ANSWER = { timeoutMs: 5_000, maxAnswerBytes: 64 * 1024 } as const satisfies CallOptions;

/** Limits of an answer with rosters from a machine that has joined: as large as any message. */
export const ROSTERS_ANSWER = { timeoutMs: 5_000 } as const satisfies CallOptions;

/** Returns a client of the link's own service at the agent of this session. */
export function linkClient(session: ClientHttp2Session): ServiceClient<typeof Link> {
  const channel = sessionChannel(session);
  return createClient(Link, () => channel);
}
