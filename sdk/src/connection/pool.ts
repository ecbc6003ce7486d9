import type { RelayTarget } from "@cmdop/proto";
import { type Channels, openChannels } from "./channels.ts";
import type { ReconnectPauses } from "./reconnect.ts";
import { RelayCredentials } from "./relay-credentials.ts";

/** Connections to one relay, shared by every client and key that uses it. */
export interface PooledRelay {
  readonly channels: Channels;
  readonly credentials: RelayCredentials;
  /** Gives this share back; the last one closes the connections. */
  release(): void;
}

interface Entry {
  readonly channels: Channels;
  readonly credentials: RelayCredentials;
  shares: number;
}

const pool = new Map<string, Entry>();

/** A share of the connections to a relay; clients share with those that pause alike. */
export function acquireRelay(relay: RelayTarget, reconnect: ReconnectPauses): PooledRelay {
  const name = [relay.id, relay.address, reconnect.firstPauseMs, reconnect.maxPauseMs].join(" ");
  let entry = pool.get(name);
  if (entry === undefined) {
    const credentials = new RelayCredentials(relay);
    entry = { channels: openChannels(relay.address, credentials, reconnect), credentials, shares: 0 };
    pool.set(name, entry);
  }
  entry.shares += 1;
  const { channels, credentials } = entry;
  const mine = entry;
  let released = false;
  return {
    channels,
    credentials,
    release() {
      if (released) return;
      released = true;
      mine.shares -= 1;
      if (mine.shares > 0) return;
      pool.delete(name);
      mine.channels.close();
    },
  };
}
