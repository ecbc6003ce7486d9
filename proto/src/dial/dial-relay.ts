import type { Socket } from "node:net";
import { type HttpProxy, proxyFor } from "./proxy-settings.ts";
import { RelayFault } from "./relay-fault.ts";
import { dialTcp } from "./tcp.ts";
import { dialThrough } from "./tunnel.ts";

/** The way to a relay. */
export interface Route {
  readonly host: string;
  readonly port: number;
  /** The proxy in between; undefined for the direct way. */
  readonly proxy: HttpProxy | undefined;
}

/** The way that this process takes to an address: by the proxy of its environment, or directly. Throws a RelayFault. */
export function routeTo(host: string, port: number): Route {
  return { host, port, proxy: proxyFor(host, port, process.env) };
}

/** A connection to a relay's port: every one that agent, SDK and CLI make. Throws a RelayFault, or the signal's reason. */
export function dialRelay({ host, port, proxy }: Route, signal: AbortSignal): Promise<Socket> {
  return proxy === undefined ? dialTcp(host, port, signal) : dialThrough(proxy, host, port, signal);
}

/** The fault of an attempt that has had no answer in time. */
export function silence({ proxy }: Route, waitedMs: number, isConnected: boolean): RelayFault {
  const way = proxy === undefined ? "" : ` by way of the proxy ${proxy.address}`;
  const what = isConnected ? "the connection was accepted, and no TLS came back" : "no answer";
  return new RelayFault("no-answer", `${what} within ${waitedMs} ms${way}`, {
    proxy: proxy?.address,
    next:
      proxy === undefined
        ? "Check that the relay runs and that no firewall drops what goes to its port; where only a proxy leads out, set HTTPS_PROXY."
        : "Check that the proxy and the relay run and that the proxy may reach the relay.",
  });
}
