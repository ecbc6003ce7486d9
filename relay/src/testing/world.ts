import { EventEmitter, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type ClientHttp2Session, connect as connectHttp2, type OutgoingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import {
  Audit,
  CALLER_ALPN,
  connectToRelay,
  createClient,
  DEFAULT_GRANT_LIFETIME_S,
  Exec,
  Files,
  type Grant,
  generateKeyPair,
  HEADERS,
  Jobs,
  type JoinToken,
  type KeyPair,
  Keys,
  Machines,
  type RelayTarget,
  Roster,
  type RosterClaims,
  type RpcChannel,
  type Service,
  type ServiceClient,
  signCallToken,
  signGrant,
  signJoinToken,
  signRoster,
} from "@cmdop/proto";
import { z } from "zod";
import { Relay, type RelayOptions } from "../index.ts";
import { type Log, SILENT_LOG } from "../log.ts";
import { dialAgent, type FakeAgent, type FakeAgentOptions } from "./fake-agent.ts";

/** Seconds since 1970. */
export const nowS = (): number => Math.floor(Date.now() / 1000);

/** What /healthz says, as the tests use it. */
const healthSchema = z.object({
  status: z.string(),
  links: z.object({ interactive: z.number(), download: z.number(), upload: z.number() }),
  machines: z.number(),
  strangers: z.number(),
  callers: z.number(),
  calls: z.number(),
});

/** A caller with a key of its own and one connection. */
export interface Caller {
  readonly key: KeyPair;
  readonly exec: ServiceClient<typeof Exec>;
  readonly jobs: ServiceClient<typeof Jobs>;
  readonly files: ServiceClient<typeof Files>;
  readonly machines: ServiceClient<typeof Machines>;
  readonly keys: ServiceClient<typeof Keys>;
  readonly roster: ServiceClient<typeof Roster>;
  readonly audit: ServiceClient<typeof Audit>;
  /** The headers of a call to a machine; none: to the relay itself. */
  headers(machine?: string): Promise<Record<string, string>>;
  close(): void;
}

/** A relay with an owner, its roster put, and the tools to add machines, keys and callers. */
export class World implements AsyncDisposable {
  readonly owner = generateKeyPair();
  readonly relay: Relay;
  readonly stateDir: string;
  readonly #up = new EventEmitter();
  readonly #closing: (() => void)[] = [];

  #asOwner: Caller | undefined;

  private constructor(stateDir: string, options: Partial<RelayOptions>) {
    this.stateDir = stateDir;
    const heard: Log["info"] = (event, fields) => {
      options.log?.info(event, fields);
      if (event === "link up") this.#up.emit(`${fields?.lane} ${fields?.bootId}`);
    };
    const log: Log = { ...(options.log ?? SILENT_LOG), debug: heard, info: heard };
    const base = { stateDir, ownerPublicKey: this.owner.publicKey, healthPort: 0 };
    this.relay = new Relay({ ...base, ...options, log });
  }

  static async start(options: Partial<RelayOptions> & { roster?: false } = {}): Promise<World> {
    const { roster = true, ...relayOptions } = options;
    const stateDir = await mkdtemp(join(tmpdir(), "cmdop-relay-"));
    const world = new World(stateDir, { times: { shutdownDrainMs: 50 }, ...relayOptions });
    await world.relay.listen();
    if (roster) await world.putRoster({ seq: 1 });
    return world;
  }

  get target(): RelayTarget {
    return { id: this.relay.id, address: this.relay.address };
  }

  /** Runs at the end, before the relay ends. */
  defer(close: () => void): void {
    this.#closing.push(close);
  }

  async putRoster(claims: Partial<RosterClaims>, signer = this.owner): Promise<void> {
    const owner = this.#ownerCaller();
    const roster = await this.roster(claims, signer);
    await owner.roster.put({ roster }, { headers: await owner.headers() });
  }

  roster(claims: Partial<RosterClaims>, signer = this.owner): Promise<string> {
    const base = { seq: 1, iat: nowS(), owners: [this.owner.publicKey], relays: [], revoked: [] };
    return signRoster({ ...base, ...claims }, signer);
  }

  joinToken(claims: Partial<JoinToken> = {}, signer = this.owner): Promise<string> {
    return signJoinToken(
      {
        jti: crypto.randomUUID(),
        owner: signer.publicKey,
        relay: this.target,
        name: "web-1",
        labels: {},
        uses: 1,
        iat: nowS(),
        exp: nowS() + 600,
        ...claims,
      },
      signer,
    );
  }

  /** A machine that has joined, on one link, and that the relay routes to by now. */
  async agent(name: string, options: Partial<FakeAgentOptions> = {}): Promise<FakeAgent & { id: string }> {
    const machineKey = options.machineKey ?? generateKeyPair();
    const joinToken = options.joinToken ?? (await this.joinToken({ name }));
    const bootId = options.bootId ?? crypto.randomUUID();
    const routed = once(this.#up, `${options.lane ?? "interactive"} ${bootId}`);
    const agent = await dialAgent({ relay: this.target, ...options, bootId, machineKey, joinToken });
    await routed;
    this.defer(() => agent.close());
    return { ...agent, id: machineKey.id };
  }

  /** One agent's hello, whatever becomes of it. Throws what it is refused with. */
  async dial(options: Omit<FakeAgentOptions, "relay">): Promise<FakeAgent> {
    const agent = await dialAgent({ relay: this.target, ...options });
    this.defer(() => agent.close());
    return agent;
  }

  /** Ends the relay and starts it again on the same files, at another port. Callers connect anew. */
  async restart(): Promise<void> {
    await this.relay.shutdown();
    await this.relay.listen();
  }

  /** A key with a grant that the relay has. */
  async key(claims: Partial<Grant> = {}, signer = this.owner): Promise<KeyPair> {
    const key = generateKeyPair();
    const owner = this.#ownerCaller();
    const grant = await this.grant(key, claims, signer);
    await owner.keys.put({ grant }, { headers: await owner.headers() });
    return key;
  }

  grant(key: KeyPair, claims: Partial<Grant> = {}, signer = this.owner): Promise<string> {
    return signGrant(
      {
        key: key.publicKey,
        name: "test",
        scopes: ["terminal", "files:read", "files:write", "machines:read"],
        machines: [{ name: "*" }],
        iat: nowS(),
        not_after: nowS() + DEFAULT_GRANT_LIFETIME_S,
        ...claims,
      },
      signer,
    );
  }

  #ownerCaller(): Caller {
    this.#asOwner ??= this.caller(this.owner);
    return this.#asOwner;
  }

  /** A caller on a connection of its own. `windowBytes`: its streams' flow-control windows, where not HTTP/2's own. */
  caller(key: KeyPair, windowBytes?: number): Caller {
    const channel = new LazyChannel(() =>
      this.#connect(windowBytes === undefined ? {} : { initialWindowSize: windowBytes }),
    );
    this.defer(() => channel.close());
    const service = <S extends Service>(description: S): ServiceClient<S> =>
      createClient(description, () => channel);
    return {
      key,
      exec: service(Exec),
      jobs: service(Jobs),
      files: service(Files),
      machines: service(Machines),
      keys: service(Keys),
      roster: service(Roster),
      audit: service(Audit),
      headers: async (machine) => ({
        [HEADERS.authorization]: `Bearer ${await signCallToken({ relayId: this.relay.id, machine: machine ?? null }, key, nowS())}`,
        ...(machine === undefined ? {} : { [HEADERS.machine]: machine }),
      }),
      close: () => channel.close(),
    };
  }

  /** A caller that speaks HTTP/2 by itself. */
  async rawCaller(
    settings: object = {},
    socket?: Socket,
  ): Promise<ClientHttp2Session & { readonly tls: TLSSocket }> {
    const session = await this.#connect(settings, socket);
    this.defer(() => session.destroy());
    this.defer(() => session.tls.destroy());
    return session;
  }

  async #connect(settings: object, socket?: Socket) {
    const tls = await connectToRelay({ relay: this.target, alpn: CALLER_ALPN, socket });
    const session = connectHttp2("http://relay", {
      createConnection: () => tls,
      maxSendHeaderBlockLength: Number.MAX_SAFE_INTEGER,
      peerMaxConcurrentStreams: 20_000,
      settings,
    });
    session.on("error", () => undefined);
    return Object.assign(session, { tls });
  }

  async health(): Promise<z.infer<typeof healthSchema>> {
    const answer = await fetch(`http://127.0.0.1:${this.relay.healthPort}/healthz`);
    return healthSchema.parse(await answer.json());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closing.reverse()) close();
    await this.relay.shutdown();
    await rm(this.stateDir, { recursive: true });
  }
}

/** A channel that connects with its first call, and again where that connection has ended. */
class LazyChannel implements RpcChannel {
  readonly #connect: () => Promise<ClientHttp2Session>;
  #session: Promise<ClientHttp2Session> | undefined;

  constructor(connect: () => Promise<ClientHttp2Session>) {
    this.#connect = connect;
  }

  async open(headers: OutgoingHttpHeaders) {
    for (;;) {
      this.#session ??= this.#connect();
      const connecting = this.#session;
      const session = await connecting;
      if (!session.closed && !session.destroyed) return session.request(headers, { endStream: false });
      // Calls that come at once share the next one, too.
      if (this.#session === connecting) this.#session = undefined;
    }
  }

  /** Calls that are open may end by themselves. */
  close(): void {
    this.#session?.then((session) => session.close());
  }
}

/** The error that a promise rejects with, or a word that it did not. */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "no error";
  } catch (thrown) {
    return thrown instanceof Error && "code" in thrown ? String(thrown.code) : String(thrown);
  }
}

/** Waits for something that has no event of its own; the test's own time limit is the limit. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Reads a stream to its end. */
export async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of stream) items.push(item);
  return items;
}
