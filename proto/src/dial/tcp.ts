import { lookup } from "node:dns/promises";
import { connect, isIP, isIPv6, type Socket } from "node:net";
import { errnoOf, onAbort } from "@cmdop/kit";
import { RelayFault, type RelayFaultKind } from "./relay-fault.ts";

/** Lead of an address over the next, in milliseconds, as RFC 8305 recommends. */
const ATTEMPT_DELAY_MS = 250;

/** Addresses of a name that are tried: with all but the last dead, the last is still tried within 2 s. */
const MAX_ADDRESSES = 8;

/** Faults by the system's code for a failed connection. */
const FAULTS: Readonly<Record<string, RelayFaultKind>> = {
  ENOTFOUND: "name-unknown",
  EAI_AGAIN: "name-unknown",
  ECONNREFUSED: "refused",
  ECONNRESET: "closed",
  EHOSTUNREACH: "no-route",
  ENETUNREACH: "no-route",
  EADDRNOTAVAIL: "no-route",
  EINVAL: "no-route",
};

/**
 * A TCP connection to a host. All addresses of a name are tried, IPv6 and IPv4
 * in turn, each a moment after the one before or as soon as that has failed; the
 * first that answers wins (RFC 8305). Throws a RelayFault, or the signal's
 * reason. The caller sets the time limit by the signal.
 */
export async function dialTcp(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  const addresses = isIP(host) === 0 ? await addressesOf(host, signal) : [host];
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const underWay = new Set<Socket>();
  const waiting = [...addresses];
  let timer: NodeJS.Timeout | undefined;
  const tryNext = (): void => {
    clearTimeout(timer);
    const address = waiting.shift();
    if (address === undefined) return;
    const socket = connect({ host: address, port, noDelay: true });
    underWay.add(socket);
    socket.once("connect", () => {
      underWay.delete(socket);
      resolve(socket);
    });
    // It stays: between its connection and its next owner, too, a socket may fail.
    socket.on("error", (error) => {
      underWay.delete(socket);
      if (waiting.length > 0) tryNext();
      else if (underWay.size === 0) reject(faultOf(error));
    });
    if (waiting.length > 0) timer = setTimeout(tryNext, ATTEMPT_DELAY_MS);
  };
  const stopListening = onAbort(signal, () => reject(signal.reason));
  tryNext();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    stopListening();
    for (const socket of underWay) socket.destroy();
  }
}

/** The addresses of a name, the families in turn, beginning with the one that the system prefers. */
async function addressesOf(host: string, signal: AbortSignal): Promise<string[]> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stopListening = onAbort(signal, () => reject(signal.reason));
  try {
    const found = await Promise.race([lookup(host, { all: true, order: "verbatim" }), aborted]);
    return inTurn(found.map(({ address }) => address)).slice(0, MAX_ADDRESSES);
  } catch (thrown) {
    throw signal.aborted ? signal.reason : faultOf(thrown);
  } finally {
    stopListening();
  }
}

/** Addresses of the two families in turn. */
function inTurn(addresses: readonly string[]): string[] {
  const preferred = addresses[0] !== undefined && isIPv6(addresses[0]);
  const first = addresses.filter((address) => isIPv6(address) === preferred);
  const second = addresses.filter((address) => isIPv6(address) !== preferred);
  const pairs = Array.from({ length: Math.max(first.length, second.length) }, (_, index) => [
    first[index],
    second[index],
  ]);
  return pairs.flat().filter((address) => address !== undefined);
}

function faultOf(thrown: unknown): RelayFault {
  const kind = FAULTS[errnoOf(thrown) ?? ""] ?? "no-answer";
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new RelayFault(kind, message, { cause: thrown });
}
