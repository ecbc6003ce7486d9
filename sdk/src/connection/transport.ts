import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type ApiKey, CmdopError, HEADERS, type LaneName } from "@cmdop/proto";
import { CallTokens } from "./call-tokens.ts";
import { type Channel, clientClosed } from "./channel.ts";
import { Lanes } from "./lanes.ts";
import { acquireRelay } from "./pool.ts";
import type { ReconnectPauses } from "./reconnect.ts";

/** The way to a relay or to the local agent. */
export interface Transport {
  readonly kind: "relay" | "local";
  /** What people know the other end by. */
  readonly address: string;
  /** How long to pause between attempts over a lost connection. */
  readonly reconnect: ReconnectPauses;
  /** Aborts when the client is closed: what is still under way ends. */
  readonly closed: AbortSignal;
  /** The channel of a lane; `ready` should come first. */
  channel(lane: LaneName): Channel;
  /** Resolves when the lane is connected; throws RelayUnreachable, RelayUntrusted or MachineOffline within CONNECT_WAIT_MS. */
  ready(lane: LaneName): Promise<void>;
  /** The headers of a call to a machine, or with null to the relay itself. */
  headers(machine: string | null): Promise<Record<string, string>>;
  /** A call was refused for its token's time: the next headers have a new one. */
  renewTokens(): void;
  close(): void;
}

/** The way through a relay, with an API key. */
export function relayTransport(apiKey: ApiKey, reconnect: ReconnectPauses): Transport {
  const { relay } = apiKey;
  const pooled = acquireRelay(relay, reconnect);
  const tokens = new CallTokens(apiKey);
  const closing = new AbortController();
  return {
    kind: "relay",
    address: relay.address,
    reconnect,
    closed: closing.signal,
    channel: (lane) => pooled.lanes.of(lane),
    async ready(lane) {
      if (closing.signal.aborted) throw clientClosed();
      await pooled.lanes.of(lane).ready();
    },
    async headers(machine) {
      const authorization = `Bearer ${await tokens.for(machine)}`;
      if (machine === null) return { [HEADERS.authorization]: authorization };
      return { [HEADERS.authorization]: authorization, [HEADERS.machine]: machine };
    },
    renewTokens: () => tokens.forget(),
    close() {
      closing.abort();
      pooled.release();
    },
  };
}

/** The way to the agent on this machine, through its unix socket. */
export function localTransport(socketPath: string, reconnect: ReconnectPauses): Transport {
  const lanes = new Lanes((signal) => dialLocal(socketPath, signal), reconnect, `the agent on ${socketPath}`);
  const closing = new AbortController();
  return {
    kind: "local",
    address: socketPath,
    reconnect,
    closed: closing.signal,
    channel: (lane) => lanes.of(lane),
    ready: (lane) => lanes.of(lane).ready(),
    headers: async () => ({}),
    renewTokens: () => undefined,
    close() {
      closing.abort();
      lanes.close();
    },
  };
}

async function dialLocal(socketPath: string, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ path: socketPath, signal });
  try {
    await once(socket, "connect");
    return socket;
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : cause;
    throw new CmdopError("MachineOffline", `No agent answers on ${socketPath}: ${code}.`, {
      cause,
      next: "Start one on this machine (cmdop up, or cmdop agent), or set CMDOP_HOME to the home that it uses.",
    });
  }
}
