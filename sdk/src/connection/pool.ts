import {
  CALLER_ALPN,
  connectToRelay,
  type RelayTarget,
  relayFaultOf,
  routeTo,
  splitAddress,
} from "@cmdop/proto";
import { Lanes } from "./lanes.ts";
import type { ReconnectPauses } from "./reconnect.ts";

/** Connections to one relay, shared by every client and key that uses it. */
export interface PooledRelay {
  readonly lanes: Lanes;
  /** Gives this share back; the last one closes the connections. */
  release(): void;
}

interface Entry {
  readonly lanes: Lanes;
  shares: number;
}

const pool = new Map<string, Entry>();

/** A share of the connections to a relay; clients share with those that pause alike. */
export function acquireRelay(relay: RelayTarget, reconnect: ReconnectPauses): PooledRelay {
  const name = [relay.id, relay.address, reconnect.firstPauseMs, reconnect.maxPauseMs].join(" ");
  let entry = pool.get(name);
  if (entry === undefined) {
    const dial = (signal: AbortSignal) => connectToRelay({ relay, alpn: CALLER_ALPN, signal });
    entry = { lanes: new Lanes(dial, reconnect, wayTo(relay.address)), shares: 0 };
    pool.set(name, entry);
  }
  entry.shares += 1;
  const mine = entry;
  let released = false;
  return {
    lanes: mine.lanes,
    release() {
      if (released) return;
      released = true;
      mine.shares -= 1;
      if (mine.shares > 0) return;
      pool.delete(name);
      mine.lanes.close();
    },
  };
}

/** A relay as it is dialled: by a proxy, where the environment names one. */
function wayTo(address: string): string {
  const { host, port } = splitAddress(address);
  try {
    const { proxy } = routeTo(host, port);
    return proxy === undefined
      ? `the relay at ${address}`
      : `the relay at ${address} by the proxy ${proxy.address}`;
  } catch (thrown) {
    // A proxy that can't be read fails each attempt to dial, with the reason.
    if (relayFaultOf(thrown) === undefined) throw thrown;
    return `the relay at ${address}`;
  }
}
