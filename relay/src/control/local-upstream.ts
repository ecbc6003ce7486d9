import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import { duplexPair } from "node:stream";
import { CmdopError, LANE_WINDOWS, MAX_LINK_HEADER_BYTES, MAX_MESSAGE_BYTES } from "@cmdop/proto";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { LINK_STREAMS } from "../data/limits.ts";
import type { Upstream, UpstreamCall } from "../data/upstream.ts";

/** All callers' cancels meet on this one session, and each caller's are bounded at the front: no guard of its own. */
const STREAM_RESET_BURST = 1_000_000;

/** The relay's own services as an upstream: a grpc-js server at the other end of a pipe in memory. */
export class LocalUpstream implements Upstream {
  readonly #server: Server;
  readonly #connections: ReturnType<Server["createConnectionInjector"]>;
  readonly #calls = new Set<UpstreamCall>();
  #session: ClientHttp2Session | undefined;
  #closed = false;

  /** `addServices` registers the services on the server. */
  constructor(addServices: (server: Server) => void) {
    this.#server = new Server({
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
      "grpc.enable_channelz": 0,
    });
    liftResetGuard(this.#server);
    addServices(this.#server);
    this.#connections = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
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
    this.#connections.destroy();
    this.#server.forceShutdown();
  }

  /** The session to the server; another one should the first ever end. */
  #connected(): ClientHttp2Session {
    if (this.#closed) throw new CmdopError("RelayUnreachable", "The relay is shutting down.");
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed)
      return this.#session;
    const [ours, theirs] = duplexPair();
    this.#connections.injectConnection(theirs);
    this.#session = connect("http://relay", {
      createConnection: () => ours,
      maxSendHeaderBlockLength: Number.MAX_SAFE_INTEGER,
      peerMaxConcurrentStreams: LINK_STREAMS,
      settings: {
        enablePush: false,
        initialWindowSize: LANE_WINDOWS.interactive.stream,
        maxHeaderListSize: MAX_LINK_HEADER_BYTES,
      },
    });
    // An error is followed by close, and by a new session at the next call.
    this.#session.on("error", () => undefined);
    return this.#session;
  }
}

/** grpc-js offers no option for Node's rapid-reset guard; a test fails when this private field moves. */
function liftResetGuard(server: Server): void {
  const options: unknown = Reflect.get(server, "commonServerOptions");
  if (typeof options !== "object" || options === null)
    throw new TypeError("grpc-js has no commonServerOptions");
  Object.assign(options, {
    streamResetBurst: STREAM_RESET_BURST,
    streamResetRate: STREAM_RESET_BURST,
    settings: { maxHeaderListSize: MAX_LINK_HEADER_BYTES },
  });
}
