import { createHash, type X509Certificate } from "node:crypto";

/** A relay's id as the hash of its CA's public key: what a pinned client knows of it. */
export function relayIdOf(ca: X509Certificate): string {
  return createHash("sha256")
    .update(ca.publicKey.export({ format: "der", type: "spki" }))
    .digest("base64url");
}

/** Whether a relay id is a pin (43 characters of base64url) rather than the host name of a public certificate, which has a dot. */
export function isPinnedRelayId(relayId: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(relayId);
}

/** `host:port` in its two parts; an IPv6 host comes without its brackets. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(":");
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(address.slice(colon + 1)) };
}
