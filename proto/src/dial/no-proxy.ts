import { BlockList, isIP } from "node:net";
import { domainToASCII } from "node:url";

/** Addresses that are this machine itself. */
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("0.0.0.0", "ipv4");
LOOPBACK.addAddress("::1", "ipv6");
LOOPBACK.addAddress("::", "ipv6");

/** Returns true if a host, a name or an address, is this machine itself. */
export function isLoopback(host: string): boolean {
  const name = normal(host);
  return name === "localhost" || name.endsWith(".localhost") || includes(LOOPBACK, name);
}

/** Returns true for this machine and for a host on a link that its zone id names: no proxy can mean the same by it. */
export function isHere(host: string): boolean {
  return isLoopback(host) || host.includes("%");
}

/**
 * Returns true if NO_PROXY excepts a host. Its entries, between commas or spaces, are `*`
 * for all, domains (each with all below it; a leading dot or `*.` changes nothing),
 * addresses and CIDR blocks, each with an optional `:port`. An entry that can't be
 * read excepts nothing. Names are not resolved.
 */
export function isExcepted(noProxy: string, host: string, port: number): boolean {
  const name = normal(host);
  return noProxy
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => matches(entry, name, port));
}

function matches(entry: string, name: string, port: number): boolean {
  if (entry === "*") return true;
  const { host, port: only } = parts(entry);
  if (only !== undefined && Number(only) !== port) return false;
  const [network = "", bits] = host.split("/");
  const version = isIP(network);
  if (version === 0) {
    const domain = normal(network.replace(/^\*?\./, ""));
    return domain !== "" && (name === domain || name.endsWith(`.${domain}`));
  }
  const width = version === 4 ? 32 : 128;
  if (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= width)) return false;
  const block = new BlockList();
  block.addSubnet(network, bits === undefined ? width : Number(bits), version === 4 ? "ipv4" : "ipv6");
  return includes(block, name);
}

/** An entry's host and port: `host`, `host:port`, `[address]:port`, or an IPv6 address with colons of its own. */
function parts(entry: string): { host: string; port: string | undefined } {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(entry);
  if (bracketed !== null) return { host: bracketed[1] ?? "", port: bracketed[2] };
  const plain = /^([^:]*):(\d+)$/.exec(entry);
  return plain === null ? { host: entry, port: undefined } : { host: plain[1] ?? "", port: plain[2] };
}

/** A block's word on an address; an IPv4 address that is written as IPv6 counts as what it is. */
function includes(block: BlockList, address: string): boolean {
  const version = isIP(address);
  return version !== 0 && block.check(address, version === 4 ? "ipv4" : "ipv6");
}

/** Names in lower case, without the dot of the root, international ones as name servers have them. */
function normal(host: string): string {
  const name = host.replace(/\.$/, "").toLowerCase();
  return isIP(name) === 0 ? domainToASCII(name) || name : name;
}
