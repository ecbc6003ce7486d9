import type { Socket } from "node:net";

/**
 * Whether a TLS socket waits for a write that nobody carries out any more.
 *
 * A write that is the first to meet a reset connection is lost in Node's TLS
 * (seen in 24.21 about every second time): no callback, no error, no close; the
 * HTTP/2 session above waits for ever and reads no more. What shows it is that
 * TLS has something to write and TCP below has nothing; while all is well, one
 * follows the other at once. Node has no public word for this, so two private
 * fields are used, here and nowhere else; lost-write.test.ts fails when they
 * change. Where they are missing, the answer is no.
 */
export function awaitsLostWrite(socket: Socket): boolean {
  const tls = objectAt(socket, "_handle");
  const tcp = tls === undefined ? undefined : objectAt(tls, "_parent");
  return tls !== undefined && tcp !== undefined && queuedBytes(tls) > 0 && queuedBytes(tcp) === 0;
}

function objectAt(owner: object, field: string): object | undefined {
  const value: unknown = Reflect.get(owner, field);
  return typeof value === "object" && value !== null ? value : undefined;
}

function queuedBytes(handle: object): number {
  const bytes: unknown = Reflect.get(handle, "writeQueueSize");
  return typeof bytes === "number" ? bytes : Number.NaN;
}
