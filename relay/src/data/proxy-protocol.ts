import { BlockList, isIP, isIPv4, isIPv6, type Socket } from "node:net";
import { CmdopError } from "@cmdop/proto";

/** A header of version 1, in bytes, as its specification bounds it. */
const MAX_TEXT_BYTES = 107;

/** A header of version 2 with all that it may say beside the addresses, in bytes: those of AWS and HAProxy have some 100. */
const MAX_BINARY_BYTES = 4 * 1024;

/** How version 2 begins. */
const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

/** Fixed part of version 2: signature, version and command, family, length. */
const BINARY_HEAD_BYTES = 16;

/** The first bytes of a connection, read as a header of the PROXY protocol. */
export type ProxyHeader =
  | { readonly kind: "incomplete" }
  | { readonly kind: "invalid"; readonly why: string }
  /** `address`: who connected to the balancer; undefined where it speaks for itself, as its health checks do. */
  | { readonly kind: "header"; readonly bytes: number; readonly address: string | undefined };

const INCOMPLETE: ProxyHeader = { kind: "incomplete" };

/** Reads a header of version 1 or 2, strictly: what is not one to the byte is invalid. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  const head = bytes.subarray(0, SIGNATURE.length);
  if (SIGNATURE.subarray(0, head.length).equals(head))
    return bytes.length < BINARY_HEAD_BYTES ? INCOMPLETE : binary(bytes);
  return text(bytes);
}

function text(bytes: Buffer): ProxyHeader {
  const begin = "PROXY ";
  const line = bytes.subarray(0, MAX_TEXT_BYTES).toString("latin1");
  if (!(line.startsWith(begin) || begin.startsWith(line))) return invalid("it begins with something else");
  const end = line.indexOf("\r\n");
  if (end < 0) return bytes.length < MAX_TEXT_BYTES ? INCOMPLETE : invalid("its line does not end");
  const header = { kind: "header", bytes: end + 2 } as const;
  const words = line.slice(begin.length, end).split(" ");
  const [family, from = "", to = "", fromPort = "", toPort = ""] = words;
  if (family === "UNKNOWN") return { ...header, address: undefined };
  const isAddress = family === "TCP4" ? isIPv4 : family === "TCP6" ? isAddressOfIPv6 : undefined;
  if (isAddress === undefined || words.length !== 5) return invalid("its line is malformed");
  if (!isAddress(from) || !isAddress(to)) return invalid("an address in it is malformed");
  if (!isPort(fromPort) || !isPort(toPort)) return invalid("a port in it is malformed");
  return { ...header, address: from };
}

function binary(bytes: Buffer): ProxyHeader {
  const version = bytes.readUInt8(12);
  const family = bytes.readUInt8(13);
  const length = bytes.readUInt16BE(14);
  if (version !== 0x20 && version !== 0x21) return invalid("its version or command is unknown");
  if (BINARY_HEAD_BYTES + length > MAX_BINARY_BYTES)
    return invalid(`it has more than ${MAX_BINARY_BYTES} bytes`);
  const body = bytes.subarray(BINARY_HEAD_BYTES, BINARY_HEAD_BYTES + length);
  if (body.length < length) return INCOMPLETE;
  const header = { kind: "header", bytes: BINARY_HEAD_BYTES + length } as const;
  // LOCAL: the balancer's own connection, whatever addresses it puts in.
  if (version === 0x20 || family === 0x00) return { ...header, address: undefined };
  if (family === 0x11 && length >= 12) return { ...header, address: body.subarray(0, 4).join(".") };
  if (family === 0x21 && length >= 36) return { ...header, address: addressOfBytes(body.subarray(0, 16)) };
  return invalid("it is not about TCP over IPv4 or IPv6");
}

/** An IPv6 address as Node has it, shortest form. */
function addressOfBytes(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

function isAddressOfIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes("%");
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

function invalid(why: string): ProxyHeader {
  return { kind: "invalid", why };
}

/** Balancers that speak the PROXY protocol, by their addresses: only their word on who connects is taken. */
export class Balancers {
  readonly #list = new BlockList();

  /** `networks`: addresses and CIDR blocks. @throws CmdopError InvalidArgument for one that is neither, and for all addresses at once */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = "", bits, ...rest] = network.split("/");
      const version = isIP(address);
      const width = version === 4 ? 32 : 128;
      const prefix = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : 0;
      if (version === 0 || rest.length > 0 || prefix < 1 || prefix > width || address.includes("%")) {
        throw new CmdopError(
          "InvalidArgument",
          `${JSON.stringify(network)} is no address and no CIDR block.`,
          {
            next: "Name the load balancer's own addresses, such as 10.0.0.0/24. Whoever is in them can claim any address.",
          },
        );
      }
      this.#list.addSubnet(address, prefix, version === 4 ? "ipv4" : "ipv6");
    }
  }

  has(address: string): boolean {
    const version = isIP(address);
    return version !== 0 && this.#list.check(address, version === 4 ? "ipv4" : "ipv6");
  }
}

/**
 * Takes the header off a balancer's connection and leaves what follows to be
 * read. `onHeader` gets who connected; `onInvalid` the reason why nobody can say.
 */
export function takeProxyHeader(
  raw: Socket,
  onHeader: (address: string | undefined) => void,
  onInvalid: (why: string) => void,
): void {
  let bytes = Buffer.alloc(0);
  const onReadable = (): void => {
    for (let chunk: unknown = raw.read(); chunk instanceof Buffer; chunk = raw.read()) {
      bytes = Buffer.concat([bytes, chunk]);
      const header = readProxyHeader(bytes);
      if (header.kind === "incomplete") continue;
      raw.off("readable", onReadable);
      if (header.kind === "invalid") onInvalid(header.why);
      else {
        if (bytes.length > header.bytes) raw.unshift(bytes.subarray(header.bytes));
        onHeader(header.address);
      }
      return;
    }
  };
  raw.on("readable", onReadable);
}
