import { once } from "node:events";
import { readFile } from "node:fs/promises";
import path from "node:path";
import tls from "node:tls";
import {
  AGENT_ALPN,
  codec,
  HEADERS,
  HELLO_NONCE_BYTES,
  Lane,
  Link,
  methodPath,
  splitAddress,
  thumbprint,
} from "@cmdop/proto";
import { RawCaller } from "./raw-call.ts";
import type { TrustWorld } from "./trust-world.ts";

export const HELLO = methodPath(Link, Link.method.hello);
export const WELCOME = methodPath(Link, Link.method.welcome);
export const AUDIT = methodPath(Link, Link.method.audit);

/** What a welcome brings. */
export interface Welcome {
  readonly roster?: string;
  readonly machineRecord?: string;
}

/** One connection that an agent has dialled, with nothing said on it yet but what the test says. */
export class LyingLink {
  readonly caller: RawCaller;

  constructor(caller: RawCaller) {
    this.caller = caller;
  }

  /** Which machine and lane this is; undefined where the agent does not answer. */
  async hello(): Promise<{ machineId: string; lane: Lane } | undefined> {
    const message = codec(Link.method.hello.input).serialize({
      nonce: crypto.getRandomValues(Buffer.alloc(HELLO_NONCE_BYTES)),
    });
    const answer = (await this.caller.ask(HELLO, {}, message)).message;
    if (answer === undefined) return undefined;
    const { machineKey, lane } = codec(Link.method.hello.output).deserialize(answer);
    return { machineId: thumbprint(Buffer.from(machineKey).toString("base64url")), lane };
  }

  /** Brings statements; the seq of the roster that the agent holds then, or the code that it refuses them with. */
  async welcome(welcome: Welcome): Promise<{ rosterSeq: bigint } | { refused: string | undefined }> {
    const { trailers, message } = await this.caller.ask(
      WELCOME,
      {},
      codec(Link.method.welcome.input).serialize(welcome),
    );
    if (message === undefined) return { refused: trailers[HEADERS.error] };
    return { rosterSeq: codec(Link.method.welcome.output).deserialize(message).rosterSeq };
  }
}

/**
 * A relay that was taken over: it has the real one's CA, port and store of
 * statements, checks nothing, and says to agents whatever the test has it say.
 */
export class LyingRelay implements AsyncDisposable {
  readonly #server: tls.Server;
  readonly #sockets = new Set<tls.TLSSocket>();
  /** Connections that nobody has asked for yet; agents that wait too long for a Hello dial again. */
  readonly #waiting: tls.TLSSocket[] = [];

  private constructor(server: tls.Server) {
    this.#server = server;
    server.on("secureConnection", (socket) => {
      this.#sockets.add(socket);
      this.#waiting.push(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  /** Takes the place of the world's relay, which must have ended. */
  static async replace(world: TrustWorld): Promise<LyingRelay> {
    const pem = await readFile(path.join(world.directory, "relay/ca.pem"), "utf8");
    // The CA's own certificate as the leaf, and once more as the leaf's issuer: that much any thief of its key can show.
    const [certificate = ""] =
      /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n/.exec(pem) ?? [];
    const chain = certificate + certificate;
    const server = tls.createServer({ key: pem, cert: chain, ALPNProtocols: [AGENT_ALPN] });
    const lying = new LyingRelay(server);
    const { host, port } = splitAddress(world.address);
    server.listen(port, host);
    await once(server, "listening");
    return lying;
  }

  /** The next connection of whichever agent dials. */
  async connection(): Promise<LyingLink> {
    for (;;) {
      const socket = this.#waiting.shift();
      if (socket === undefined) await once(this.#server, "secureConnection");
      else if (!socket.destroyed) return new LyingLink(RawCaller.over(socket));
    }
  }

  /** A fresh interactive link of this machine, after its Hello and before any Welcome; others are sent away and dial again. */
  async linkOf(machineId: string): Promise<LyingLink> {
    for (;;) {
      const link = await this.connection();
      const hello = await link.hello();
      if (hello?.machineId === machineId && hello.lane === Lane.INTERACTIVE) return link;
      await link.caller[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
