import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import { duplexPair } from "node:stream";
import { CmdopError, DrainingDuplex, LANE_WINDOWS, MAX_LINK_HEADER_BYTES, RpcServer } from "@cmdop/proto";
import { LINK_STREAMS } from "../data/limits.ts";
import type { Upstream, UpstreamCall } from "../data/upstream.ts";

/** The relay's own services as an upstream: a gRPC server at the other end of a pipe in memory. */
export class LocalUpstream implements Upstream {
  readonly #server = new RpcServer();
  readonly #calls = new Set<UpstreamCall>();
  #session: ClientHttp2Session | undefined;
  #closed = false;

  /** `addServices` registers the services on the server. */
  constructor(addServices: (server: RpcServer) => void) {
    addServices(this.#server);
  }

  open(headers: OutgoingHttpHeaders, signal: AbortSignal): ClientHttp2Stream {
    return this.#connected().request(headers, { signal, endStream: false });
  }

  carry(call: UpstreamCall): () => void {
    this.#calls.add(call);
    return () => this.#calls.delete(call);
  }

  lost(): CmdopError | undefined {
    return this.#closed ? new CmdopError("LinkLost", "The relay is shutting down.") : undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const call of [...this.#calls]) call.fail(new CmdopError("LinkLost", "The relay is shutting down."));
    const session = this.#session;
    if (session !== undefined && !session.destroyed) {
      const closed = once(session, "close");
      session.destroy();
      await closed;
    }
    this.#server.close();
  }

  /** Returns the session to the server, or a new one if the last has ended. */
  #connected(): ClientHttp2Session {
    if (this.#closed) throw new CmdopError("RelayUnreachable", "The relay is shutting down.");
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed)
      return this.#session;
    const [ours, theirs] = duplexPair();
    // A pair in memory buffers almost nothing: without this, both ends would wait for each other to read
    // (HTTP/2 defect A).
    this.#server.accept(new DrainingDuplex(theirs), LANE_WINDOWS.interactive.toMachine);
    this.#session = connect("http://relay", {
      createConnection: () => ours,
      maxSendHeaderBlockLength: Number.MAX_SAFE_INTEGER,
      peerMaxConcurrentStreams: LINK_STREAMS,
      settings: {
        enablePush: false,
        initialWindowSize: LANE_WINDOWS.interactive.toCaller.stream,
        maxHeaderListSize: MAX_LINK_HEADER_BYTES,
      },
    });
    // An error is followed by close, and the next call opens a new session.
    this.#session.on("error", () => undefined);
    return this.#session;
  }
}
