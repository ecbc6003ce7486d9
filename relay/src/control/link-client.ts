import type { ClientHttp2Session } from "node:http2";
import { type CallOptions, createClient, Link, type ServiceClient, sessionChannel } from "@cmdop/proto";

/** What an answer may be: its agent is a stranger, or was one a moment ago. The largest is a join token and little more. */
export const ANSWER = { timeoutMs: 5_000, maxAnswerBytes: 64 * 1024 } as const satisfies CallOptions;

/** What a machine that has joined may answer with rosters: as much as any message. */
export const ROSTERS_ANSWER = { timeoutMs: 5_000 } as const satisfies CallOptions;

/** The link's own service, at the agent of this session. */
export function linkClient(session: ClientHttp2Session): ServiceClient<typeof Link> {
  const channel = sessionChannel(session);
  return createClient(Link, () => channel);
}
