import type { Http2Server, ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import { LANE_WINDOWS, type LaneName, MAX_LINK_HEADER_BYTES, MAX_MESSAGE_BYTES } from "@cmdop/proto";
import { Server, ServerCredentials } from "@grpc/grpc-js";

/**
 * Stream resets that one connection may see at once, and per second after that.
 * Node closes a whole session beyond 1,000 and 33/s, all callers counted
 * together; behind a relay that limits its own callers that would let one
 * caller's cancels end everybody's calls.
 */
const STREAM_RESET_BURST = 1_000_000;
const STREAM_RESET_RATE_PER_S = 100_000;

/** A grpc-js server for connections that we hold already. */
export interface ConnectionServer {
  /** For `serve()`. */
  readonly server: Server;
  /** Hands a connection over; the HTTP/2 session that runs on it. */
  inject(connection: Duplex): ServerHttp2Session;
  /** Ends everything at once. */
  close(): void;
}

/**
 * A grpc-js server with the windows of a lane. grpc-js has no server option for
 * windows or reset limits, so two private fields of grpc-js 1.14 are used, here
 * and nowhere else; connection-server.test.ts fails when they change.
 */
export function createConnectionServer(lane: LaneName): ConnectionServer {
  const server = new Server({
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.enable_channelz": 0,
  });
  const windows = LANE_WINDOWS[lane];
  Object.assign(privateObject(server, "commonServerOptions"), {
    streamResetBurst: STREAM_RESET_BURST,
    streamResetRate: STREAM_RESET_RATE_PER_S,
    settings: { initialWindowSize: windows.stream, maxHeaderListSize: MAX_LINK_HEADER_BYTES },
  });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const http2Server = onlyHttp2Server(privateObject(server, "http2Servers"));

  return {
    server,
    inject(connection) {
      let injected: ServerHttp2Session | undefined;
      http2Server.once("session", (session) => {
        injected = session;
        session.setLocalWindowSize(windows.session);
      });
      injector.injectConnection(connection);
      if (injected === undefined)
        throw new TypeError("grpc-js did not open a session on the injected connection");
      return injected;
    },
    close() {
      injector.destroy();
      server.forceShutdown();
    },
  };
}

function privateObject(server: Server, field: string): object {
  const value: unknown = Reflect.get(server, field);
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`grpc-js has no ${field} any more: see agent/src/doors/connection-server.ts`);
  }
  return value;
}

function onlyHttp2Server(servers: object): Http2Server {
  const found: unknown = servers instanceof Map ? servers.keys().next().value : undefined;
  if (!isHttp2Server(found)) throw new TypeError("grpc-js keeps its HTTP/2 servers elsewhere now");
  return found;
}

function isHttp2Server(value: unknown): value is Http2Server {
  return typeof value === "object" && value !== null && "once" in value && "setTimeout" in value;
}
