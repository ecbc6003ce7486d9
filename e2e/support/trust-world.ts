import { mkdtemp, realpath, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Agent } from "@cmdop/agent";
import {
  agentStateDir,
  codec,
  type Grant,
  generateKeyPair,
  HEADERS,
  type KeyPair,
  Keys,
  localSocketPath,
  type MachineIdentity,
  Roster,
  type RosterClaims,
  signCallToken,
  signGrant,
  signJoinToken,
  signRoster,
} from "@cmdop/proto";
import { Relay } from "@cmdop/relay";
import { RawCaller } from "./raw-call.ts";

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Pauses of agents between two attempts: so short that a test does not wait for them. */
const QUICK = { firstPauseMs: 1, maxPauseMs: 50 };

/** A test makes more wrong calls than the relay lets one address make: that bound has tests of its own. */
const WRONG_CALLS = { failuresPerAddress: 1e9, failuresPerKey: 1e9 };

/** Seconds since 1970. */
export const nowS = (): number => Math.floor(Date.now() / 1000);

/** A key and what the owner said of it. */
export interface GrantedKey {
  readonly key: KeyPair;
  readonly grant: string;
}

/** A machine of the world, its agent in this process. */
export interface WorldMachine {
  readonly home: string;
  readonly agent: Agent;
  readonly identity: MachineIdentity;
  readonly socketPath: string;
}

/** What a call token shall say. */
export interface TokenOptions {
  readonly key: KeyPair;
  /** The machine that it is for; null for the relay itself. */
  readonly machine: string | null;
  /** When it was signed; now unless said. */
  readonly atS?: number;
  readonly relayId?: string;
}

/**
 * Relay and agents in this process, and an owner whose statements are signed
 * by hand, the wrong ones too. Calls are raw, so that nothing of our own client
 * code is in between.
 */
export class TrustWorld implements AsyncDisposable {
  readonly owner = generateKeyPair();
  readonly directory: string;
  readonly relay: Relay;
  readonly relayId: string;
  readonly address: string;
  #front: RawCaller | undefined;
  #rosterSeq = 0;
  #roster = "";
  readonly #machines: WorldMachine[] = [];

  private constructor(directory: string) {
    this.directory = directory;
    this.relay = new Relay({
      stateDir: path.join(directory, "relay"),
      ownerPublicKey: this.owner.publicKey,
      times: { shutdownDrainMs: 50 },
      loginBounds: WRONG_CALLS,
    });
    this.relayId = "";
    this.address = "";
  }

  static async start(): Promise<TrustWorld> {
    const directory = await realpath(await mkdtemp(path.join(os.tmpdir(), "cmdop-trust-")));
    const world = new TrustWorld(directory);
    await world.relay.listen();
    Object.assign(world, { relayId: world.relay.id, address: world.relay.address });
    await world.putRoster({});
    return world;
  }

  /** The roster in force. */
  get roster(): string {
    return this.#roster;
  }

  /** Joins a machine; resolves once its link is up. */
  async addMachine(
    name: string,
    labels: Record<string, string> = {},
    home = path.join(this.directory, `machine-${this.#machines.length}`),
  ): Promise<WorldMachine> {
    const joinToken = await signJoinToken(
      {
        jti: crypto.randomUUID(),
        owner: this.owner.publicKey,
        relay: { id: this.relayId, address: this.address },
        name,
        labels,
        uses: 1,
        iat: nowS(),
        exp: nowS() + 600,
      },
      this.owner,
    );
    const agent = new Agent({ home, joinToken, backoff: QUICK, version: "0.0.0-test", log: SILENT });
    await agent.start();
    const socketPath = localSocketPath(agentStateDir(home));
    const machine = { home, agent, identity: agent.identity, socketPath };
    this.#machines.push(machine);
    await agent.linked();
    return machine;
  }

  /** The next roster, signed by `signer` and put on the relay. */
  async putRoster(claims: Partial<RosterClaims>): Promise<string> {
    this.#rosterSeq += 1;
    const statement = await this.signedRoster({ seq: this.#rosterSeq, ...claims });
    const message = codec(Roster.method.put.input).serialize({ roster: statement });
    await this.#asOwner("/cmdop.relay.v1.Roster/Put", message);
    this.#roster = statement;
    return statement;
  }

  signedRoster(claims: Partial<RosterClaims>, signer = this.owner): Promise<string> {
    const base = { seq: 1, iat: nowS(), owners: [this.owner.publicKey], relays: [], revoked: [] };
    return signRoster({ ...base, ...claims }, signer);
  }

  /** Signs a grant for a new key; nobody has it yet. */
  async signedKey(claims: Partial<Grant>, signer = this.owner): Promise<GrantedKey> {
    const key = generateKeyPair();
    const base: Grant = {
      key: key.publicKey,
      name: "test",
      scopes: ["terminal"],
      machines: [{ name: "*" }],
      iat: nowS(),
      not_after: nowS() + 3_600,
    };
    return { key, grant: await signGrant({ ...base, ...claims }, signer) };
  }

  /** The same, put on the relay. */
  async createKey(claims: Partial<Grant>): Promise<GrantedKey> {
    const made = await this.signedKey(claims);
    await this.#asOwner("/cmdop.relay.v1.Keys/Put", codec(Keys.method.put.input).serialize(made));
    return made;
  }

  token({ key, machine, atS = nowS(), relayId = this.relayId }: TokenOptions): Promise<string> {
    return signCallToken({ relayId, machine }, key, atS);
  }

  /** The headers of a call, as the SDK sends them. */
  async headers(options: TokenOptions): Promise<Record<string, string>> {
    const authorization = { [HEADERS.authorization]: `Bearer ${await this.token(options)}` };
    return options.machine === null
      ? authorization
      : { ...authorization, [HEADERS.machine]: options.machine };
  }

  async #asOwner(method: string, message: Uint8Array): Promise<void> {
    this.#front ??= await RawCaller.connect(this.address);
    const trailers = await this.#front.call(
      method,
      await this.headers({ key: this.owner, machine: null }),
      message,
    );
    if (trailers["grpc-status"] !== "0") throw new Error(`${method}: ${JSON.stringify(trailers)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#front?.[Symbol.asyncDispose]();
    for (const { agent } of this.#machines) await agent.shutdown();
    await this.relay.shutdown();
    await rm(this.directory, { recursive: true, force: true });
  }
}
