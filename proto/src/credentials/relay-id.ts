import { createHash, type X509Certificate } from "node:crypto";

/** Returns a relay's id as the hash of its CA's public key, by which a pinned client recognises it. */
export function relayIdOf(ca: X509Certificate): string {
  return createHash("sha256")
    .update(ca.publicKey.export({ format: "der", type: "spki" }))
    .digest("base64url");
}

/**
 * Returns true if a relay id is a pin (43 characters of base64url), not the host name of a public
 * certificate, which has a dot.
 */
export function isPinnedRelayId(relayId: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(relayId);
}

/** Splits `host:port`; an IPv6 host is returned without its brackets. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}
