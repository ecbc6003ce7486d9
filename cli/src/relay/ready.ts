import os from "node:os";
import { splitAddress } from "@cmdop/proto";

/** What a relay says when it is ready. */
export function readyText(target: string): string {
  return `relay ${target}\n\nNext, where the owner key is:\n  cmdop join-token NAME --relay ${target}\n`;
}

/** The relay's address, with one that others can dial in place of "every interface". */
export function outwardAddress(address: string): string {
  const { host, port } = splitAddress(address);
  const isEverywhere = host === "0.0.0.0" || host === "::";
  return isEverywhere ? `${interfaceAddress()}:${port}` : address;
}

/** The first address that is neither loopback nor of its own link, IPv4 before IPv6. */
function interfaceAddress(): string {
  const outward = Object.values(os.networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, scopeid }) => !internal && !scopeid);
  const ipv4 = outward.find(({ family }) => family === "IPv4");
  if (ipv4 !== undefined) return ipv4.address;
  const [ipv6] = outward;
  return ipv6 === undefined ? "127.0.0.1" : `[${ipv6.address}]`;
}
