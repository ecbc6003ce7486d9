import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { AGENT_ALPN, connectToRelay } from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SILENT_LOG } from "../log.ts";
import { errorOf, rawAnswer, rawCall } from "../testing/raw-call.ts";
import { until, World } from "../testing/world.ts";
import { Balancers, readProxyHeader } from "./proxy-protocol.ts";

const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";

function binary(command: number, family: number, body: string | Buffer): Buffer {
  const content = Buffer.from(body);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(content.length);
  return Buffer.concat([Buffer.from(SIGNATURE), Buffer.of(command, family), length, content]);
}

const V4 = Buffer.from([203, 0, 113, 7, 10, 0, 0, 1, 0x12, 0x34, 0x1d, 0x13]);
const V6 = Buffer.concat([Buffer.from("20010db8000000000000000000000007", "hex"), Buffer.alloc(20)]);

describe("a header", () => {
  it.each([
    ["PROXY TCP4 203.0.113.7 10.0.0.1 4660 7443\r\n", "203.0.113.7"],
    ["PROXY TCP6 2001:db8::7 fd00::1 4660 7443\r\n", "2001:db8::7"],
    ["PROXY UNKNOWN\r\n", undefined],
    ["PROXY UNKNOWN ffff::1 whatever\r\n", undefined],
    [binary(0x21, 0x11, V4), "203.0.113.7"],
    [binary(0x21, 0x11, Buffer.concat([V4, Buffer.alloc(100)])), "203.0.113.7"],
    [binary(0x21, 0x21, V6), "2001:db8::7"],
    [binary(0x20, 0x11, V4), undefined],
    [binary(0x20, 0x00, ""), undefined],
  ])("%j says %s, however it is cut, and ends where it ends", (text, address) => {
    const whole = Buffer.from(text);
    const read = readProxyHeader(Buffer.concat([whole, Buffer.from("\x16\x03\x01")]));
    expect(read).toEqual({ kind: "header", bytes: whole.length, address });
    for (let length = 0; length < whole.length; length++) {
      expect(readProxyHeader(whole.subarray(0, length))).toEqual({ kind: "incomplete" });
    }
  });

  it.each([
    "\x16\x03\x01",
    "GET / HTTP/1.1\r\n",
    "PROXY TCP4 203.0.113.7 10.0.0.1 4660\r\n",
    "PROXY TCP4 203.0.113.7 10.0.0.1 4660 7443 1\r\n",
    "PROXY TCP4 203.0.113.07 10.0.0.1 4660 7443\r\n",
    "PROXY TCP4 2001:db8::7 fd00::1 4660 7443\r\n",
    "PROXY TCP6 fe80::1%eth0 fd00::1 4660 7443\r\n",
    "PROXY TCP4 203.0.113.7 10.0.0.1 65536 7443\r\n",
    "PROXY TCP4 203.0.113.7 10.0.0.1 +1 7443\r\n",
    "PROXY tcp4 203.0.113.7 10.0.0.1 1 7443\r\n",
    `PROXY UNKNOWN ${"x".repeat(200)}`,
    binary(0x11, 0x11, V4),
    binary(0x22, 0x11, V4),
    binary(0x21, 0x12, V4),
    binary(0x21, 0x31, Buffer.alloc(216)),
    binary(0x21, 0x11, V4.subarray(1)),
    binary(0x21, 0x11, Buffer.alloc(5_000)),
  ])("%j is none", (text) => {
    expect(readProxyHeader(Buffer.from(text))).toMatchObject({ kind: "invalid" });
  });

  it("never makes the relay wait for more than its bound (fuzz)", () => {
    const begins = fc.constantFrom(Buffer.alloc(0), Buffer.from("PROXY "), Buffer.from(SIGNATURE));
    fc.assert(
      fc.property(begins, fc.uint8Array({ maxLength: 6_000 }), (begin, tail) => {
        const read = readProxyHeader(Buffer.concat([begin, tail]));
        if (read.kind === "incomplete") expect(begin.length + tail.length).toBeLessThan(4 * 1024);
        if (read.kind === "header") expect(read.bytes).toBeLessThanOrEqual(begin.length + tail.length);
      }),
    );
  });
});

it.each(["10.0.0.0/0", "10.0.0.0/33", "lb.example.com", "10.0.0.0/8/8", "10.0.0.0/", "fe80::1%eth0"])(
  "%s names no balancer",
  (network) => {
    expect(() => new Balancers([network])).toThrow("no address and no CIDR block");
  },
);

/** Its own address: the relay takes its word, and nobody else's. */
const BALANCER = "127.0.0.9";

describe("behind a balancer", () => {
  /** A balancer that passes TLS on, and puts its header in front in one piece with it, or byte by byte. */
  async function through(world: World, header: string | Buffer, isInPieces = false): Promise<Socket> {
    const balancer = createServer((near) => {
      const far = connect({
        port: world.relay.port,
        host: "127.0.0.1",
        localAddress: BALANCER,
        noDelay: true,
      });
      near.on("error", () => far.destroy()).once("close", () => far.destroy());
      far.on("error", () => near.destroy()).once("close", () => near.destroy());
      near.once("data", async (data) => {
        for (const byte of isInPieces ? Buffer.from(header) : []) {
          far.write(Buffer.of(byte));
          await new Promise(setImmediate);
        }
        far.write(isInPieces ? data : Buffer.concat([Buffer.from(header), data]));
        near.pipe(far).pipe(near);
      });
    });
    await once(balancer.listen(0, "127.0.0.1"), "listening");
    world.defer(() => balancer.close());
    const address = balancer.address();
    if (address === null || typeof address === "string") throw new TypeError("no port");
    const socket = connect(address.port, "127.0.0.1");
    await once(socket, "connect");
    world.defer(() => socket.destroy());
    return socket;
  }

  it.each([
    ["version 1", "PROXY TCP4 203.0.113.7 10.0.0.1 4660 7443\r\n", false],
    ["version 2, in pieces", binary(0x21, 0x11, V4), true],
  ])("the relay knows who connects by %s", async (_title, header, isInPieces) => {
    const refused: unknown[] = [];
    const log = { ...SILENT_LOG, warn: (_event: string, fields?: object) => refused.push(fields) };
    await using world = await World.start({ proxyProtocol: ["127.0.0.8/31"], log });
    const socket = await through(world, header, isInPieces);
    const tls = await connectToRelay({ relay: world.target, alpn: AGENT_ALPN, socket });
    // Its greeting has begun.
    await once(tls, "data");
    tls.destroy();
    await until(() => refused.length > 0);
    expect(refused).toMatchObject([{ address: "203.0.113.7" }]);
    const session = await world.rawCaller({}, await through(world, header, isInPieces));
    expect(errorOf(await rawAnswer(rawCall(session, "/none", {})))).toBe("Unimplemented");
  });

  it("without a header nobody comes in from there, and a header from elsewhere is none", async () => {
    await using behind = await World.start({ proxyProtocol: [BALANCER] });
    await expect(behind.rawCaller({}, await through(behind, ""))).rejects.toBeInstanceOf(Error);
    await using open = await World.start({ proxyProtocol: ["10.0.0.0/8"] });
    await expect(open.rawCaller({}, await through(open, "PROXY UNKNOWN\r\n"))).rejects.toBeInstanceOf(Error);
    expect((await open.rawCaller({}, await through(open, ""))).closed).toBe(false);
  });
});
