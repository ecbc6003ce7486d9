import { existsSync } from "node:fs";
import { type ApiKey, CmdopError, HEADERS, type LaneName } from "@cmdop/proto";
import { ChannelCredentials, type Client, connectivityState } from "@grpc/grpc-js";
import { CallTokens } from "./call-tokens.ts";
import { openChannels } from "./channels.ts";
import { acquireRelay } from "./pool.ts";
import type { ReconnectPauses } from "./reconnect.ts";

/** How long a call waits for a connection before it fails, in milliseconds; nothing has been sent by then. */
export const CONNECT_WAIT_MS = 2_000;

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
  channel(lane: LaneName): Client;
  /** Resolves when the lane is connected; throws RelayUnreachable, RelayUntrusted or MachineOffline within CONNECT_WAIT_MS. */
  ready(lane: LaneName): Promise<void>;
  /** The headers of a call to a machine, or with null to the relay itself. */
  headers(machine: string | null): Promise<Record<string, string>>;
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
    channel: (lane) => pooled.channels.of(lane),
    async ready(lane) {
      if (closing.signal.aborted) throw clientClosed();
      await connected(
        pooled.channels.of(lane),
        (why) =>
          pooled.credentials.recentError(reconnect.maxPauseMs + CONNECT_WAIT_MS) ??
          new CmdopError("RelayUnreachable", `The relay at ${relay.address} can't be reached: ${why}.`),
      );
    },
    async headers(machine) {
      const authorization = `Bearer ${await tokens.for(machine)}`;
      if (machine === null) return { [HEADERS.authorization]: authorization };
      return { [HEADERS.authorization]: authorization, [HEADERS.machine]: machine };
    },
    close() {
      closing.abort();
      pooled.release();
    },
  };
}

/** The way to the agent on this machine, through its unix socket. */
export function localTransport(socketPath: string, reconnect: ReconnectPauses): Transport {
  const channels = openChannels(`unix:${socketPath}`, ChannelCredentials.createInsecure(), reconnect);
  const offline = (why: string): CmdopError =>
    new CmdopError("MachineOffline", `No agent answers on ${socketPath}: ${why}.`, {
      next: "Start one on this machine (cmdop up, or cmdop agent), or set CMDOP_HOME to the home that it uses.",
    });
  const closing = new AbortController();
  return {
    kind: "local",
    address: socketPath,
    reconnect,
    closed: closing.signal,
    channel: (lane) => channels.of(lane),
    async ready(lane) {
      if (closing.signal.aborted) throw clientClosed();
      if (!existsSync(socketPath)) throw offline("there is no such socket");
      await connected(channels.of(lane), offline);
    },
    headers: async () => ({}),
    close() {
      closing.abort();
      channels.close();
    },
  };
}

async function connected(channel: Client, failure: (why: string) => CmdopError): Promise<void> {
  if (channel.getChannel().getConnectivityState(true) === connectivityState.READY) return;
  await new Promise<void>((resolve, reject) => {
    channel.waitForReady(Date.now() + CONNECT_WAIT_MS, (error) => {
      if (error === undefined) resolve();
      else reject(failure(`no connection within ${CONNECT_WAIT_MS} ms`));
    });
  });
}

/** What every call of a closed client meets. */
export function clientClosed(): CmdopError {
  return new CmdopError("InvalidArgument", "This client has been closed.", {
    next: "Make a new CMDOPClient.",
  });
}
