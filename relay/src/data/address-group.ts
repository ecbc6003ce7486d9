import { isIPv6 } from "node:net";

/** What counts as one address: one host of IPv6 has a whole /64 to call from. */
export function addressGroup(address: string): string {
  if (!isIPv6(address) || address.startsWith("::ffff:")) return address;
  const [head = "", tail = ""] = (address.split("%")[0] ?? "").split("::");
  const before = head.split(":");
  const after = tail.split(":").filter((group) => group !== "");
  const zeros = Array<string>(Math.max(0, 8 - before.length - after.length)).fill("0");
  return [...before, ...zeros, ...after].slice(0, 4).join(":");
}
