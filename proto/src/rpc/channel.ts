import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";

/** Where calls go: a connection, or whatever makes one when there is a call. */
export interface RpcChannel {
  /** Opens the stream of a call. Rejects with a CmdopError where there is no connection, or the signal aborts before there is one; nothing has been sent then. */
  open(headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<ClientHttp2Stream>;
  /** Keeps the program running while somebody waits for an answer, until the returned function is called. Without it the connection itself does. */
  readonly hold?: () => () => void;
}

/** A channel on an HTTP/2 session that exists already. */
export function sessionChannel(session: ClientHttp2Session): RpcChannel {
  return { open: async (headers) => session.request(headers, { endStream: false }) };
}
