import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from "node:tls";
import { AGENT_ALPN, CALLER_ALPN, CmdopError } from "@cmdop/proto";
import { CallerSession, type FrontServices } from "./caller-session.ts";
import { MAX_CONNECTIONS, MAX_STRANGERS, MAX_STRANGERS_PER_ADDRESS } from "./limits.ts";
import type { Links } from "./links.ts";
import { type Balancers, takeProxyHeader } from "./proxy-protocol.ts";
import { Strangers } from "./strangers.ts";

/** What the front door needs. */
export interface FrontDoorOptions extends FrontServices {
  readonly links: Links;
  readonly secureContext: SecureContextOptions;
  /** Takes what does not begin as TLS does; without it such a connection is closed. */
  readonly plain?: ((raw: Socket) => void) | undefined;
  /** Whose word on who connects is taken. */
  readonly balancers: Balancers;
}

/** The type of the first record of a TLS connection (RFC 8446, section 5.1). */
const TLS_HANDSHAKE = 22;

/** One accepted connection. */
interface Connection {
  readonly raw: Socket;
  /** Who connected, as the balancer says where there is one. */
  readonly address: string;
  /** It has shown a credential, or is gone: it does not count as a stranger any more. */
  readonly settle: () => void;
  /** Its handshake is done: ends it unless it shows its credential in time. */
  greeted(timeoutMs: number): void;
}

/** The relay's one port: TLS for callers and agents alike, told apart by ALPN. Anything else is closed. */
export class FrontDoor {
  readonly #options: FrontDoorOptions;
  readonly #tcp: Server;
  readonly #tls: TlsServer;
  /** Before their handshake is done, and after: whoever only opens connections throws out nobody who has come further. */
  readonly #knocking = new Strangers(MAX_STRANGERS, MAX_STRANGERS_PER_ADDRESS);
  readonly #strangers = new Strangers(MAX_STRANGERS, MAX_STRANGERS_PER_ADDRESS);
  readonly #connections = new Map<string, Connection>();
  readonly #callers = new Set<CallerSession>();

  constructor(options: FrontDoorOptions) {
    this.#options = options;
    this.#tcp = createServer({ noDelay: true }, (raw) => this.#accept(raw));
    this.#tcp.maxConnections = MAX_CONNECTIONS;
    this.#tls = createTlsServer({
      ...options.secureContext,
      ALPNProtocols: [CALLER_ALPN, AGENT_ALPN],
      minVersion: "TLSv1.3",
      handshakeTimeout: options.times.handshakeTimeoutMs,
    });
    this.#tls.on("secureConnection", (tls) => {
      try {
        this.#dispatch(tls);
      } catch (thrown) {
        // A connection may die in the very moment that it comes up; the relay must not die of it.
        options.log.error("connection failed", { message: String(thrown) });
        tls.destroy();
      }
    });
    this.#tls.on("tlsClientError", (_error, tls) => tls.destroy());
  }

  /** Resolves with the port. Throws InvalidArgument when the address can't be listened on. */
  async listen(host: string, port: number): Promise<number> {
    this.#tcp.listen({ host, port });
    try {
      await once(this.#tcp, "listening");
    } catch (thrown) {
      throw new CmdopError(
        "InvalidArgument",
        `The relay can't listen on ${host}:${port}: ${String(thrown)}.`,
        {
          next: "Choose another port, or end what uses it.",
          cause: thrown,
        },
      );
    }
    const address = this.#tcp.address();
    return isAddressInfo(address) ? address.port : port;
  }

  /** New connections get the new certificate; those that exist keep theirs. */
  setSecureContext(context: SecureContextOptions): void {
    this.#tls.setSecureContext(context);
  }

  get counts(): { connections: number; strangers: number; callers: number } {
    return {
      connections: this.#connections.size,
      strangers: this.#knocking.size + this.#strangers.size,
      callers: this.#callers.size,
    };
  }

  /** Takes no more connections and calls; resolves when every caller has gone, or after the time. */
  async drain(timeoutMs: number): Promise<void> {
    this.#tcp.close();
    const ends = Promise.withResolvers<void>();
    const timer = setTimeout(ends.resolve, timeoutMs);
    const poll = setInterval(() => {
      if (this.#callers.size === 0) ends.resolve();
    }, DRAIN_POLL_MS);
    for (const caller of [...this.#callers]) caller.drain();
    if (this.#callers.size === 0) ends.resolve();
    await ends.promise;
    clearTimeout(timer);
    clearInterval(poll);
  }

  /** Ends whatever connection is left. */
  async close(): Promise<void> {
    for (const caller of [...this.#callers]) caller.destroy();
    for (const { raw } of [...this.#connections.values()]) raw.destroy();
    this.#tls.close();
    if (this.#tcp.listening) this.#tcp.close();
    await Promise.all([...this.#connections.values()].map(({ raw }) => raw.closed || once(raw, "close")));
  }

  #accept(raw: Socket): void {
    raw.on("error", () => raw.destroy());
    const peer = raw.remoteAddress ?? "";
    const { balancers, times, log } = this.#options;
    if (!balancers.has(peer)) {
      this.#admit(raw, peer);
      return;
    }
    // Not by the balancer's address, which all share until they are told apart.
    const leave = this.#knocking.add(nameOf(raw), () => raw.destroy());
    const timer = setTimeout(() => raw.destroy(), times.handshakeTimeoutMs);
    const settle = (): void => {
      clearTimeout(timer);
      leave();
    };
    raw.once("close", settle);
    takeProxyHeader(
      raw,
      (address) => {
        raw.off("close", settle);
        settle();
        this.#admit(raw, address ?? peer);
      },
      (why) => {
        log.debug?.("no header of the PROXY protocol", { address: peer, why });
        raw.destroy();
      },
    );
  }

  #admit(raw: Socket, address: string): void {
    const name = nameOf(raw);
    const { handshakeTimeoutMs } = this.#options.times;
    let leave = this.#knocking.add(address, () => raw.destroy());
    let timer: NodeJS.Timeout | undefined;
    const expect = (timeoutMs: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => raw.destroy(), timeoutMs);
    };
    const connection: Connection = {
      raw,
      address,
      settle: () => {
        clearTimeout(timer);
        leave();
      },
      greeted: (timeoutMs) => {
        leave();
        leave = this.#strangers.add(address, () => raw.destroy());
        expect(timeoutMs);
      },
    };
    expect(handshakeTimeoutMs);
    this.#connections.set(name, connection);
    raw.once("close", () => {
      connection.settle();
      if (this.#connections.get(name) === connection) this.#connections.delete(name);
    });
    if (this.#options.plain === undefined) this.#tls.emit("connection", raw);
    else raw.once("readable", () => this.#tell(connection));
  }

  /** Looks at the first byte, and leaves it where it was. */
  #tell({ raw, settle }: Connection): void {
    const first: unknown = raw.read();
    if (!(first instanceof Buffer)) return;
    raw.unshift(first);
    if (first[0] === TLS_HANDSHAKE) {
      this.#tls.emit("connection", raw);
      return;
    }
    settle();
    this.#options.plain?.(raw);
  }

  #dispatch(tls: TLSSocket): void {
    tls.on("error", () => tls.destroy());
    const connection = this.#connections.get(nameOf(tls));
    if (connection === undefined) {
      tls.destroy();
      return;
    }
    const { times, links } = this.#options;
    const { raw, address, settle, greeted } = connection;
    if (tls.alpnProtocol === CALLER_ALPN) {
      greeted(times.firstCallTimeoutMs);
      const session: CallerSession = new CallerSession({
        ...this.#options,
        tls,
        raw,
        address,
        onKnown: settle,
        onClose: () => this.#callers.delete(session),
      });
      this.#callers.add(session);
    } else if (tls.alpnProtocol === AGENT_ALPN) {
      greeted(times.greetTimeoutMs);
      links.accept(tls, raw, address).then(
        (isUp) => {
          if (isUp) settle();
        },
        (thrown) => {
          this.#options.log.error("link failed", { message: String(thrown) });
          raw.destroy();
        },
      );
    } else {
      tls.destroy();
    }
  }
}

/** How often a drain looks whether the last caller has gone, in milliseconds. */
const DRAIN_POLL_MS = 10;

/** No two open connections have the same two ends; it is how a TLS socket finds the raw one below it. */
function nameOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}

function isAddressInfo(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === "object" && address !== null;
}
