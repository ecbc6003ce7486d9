import { readFile } from "node:fs/promises";
import path from "node:path";
import {
  codec,
  formatApiKey,
  type Grant,
  generateKeyPair,
  HEADERS,
  type KeyId,
  type KeyPair,
  Keys,
  openOwnerKey,
  parseSealedKey,
  Roster,
  signCallToken,
  signGrant,
  signRoster,
} from "@cmdop/proto";
import { type Cluster, OWNER_PASSPHRASE } from "./cluster.ts";
import { RawCaller } from "./raw-call.ts";

/** A key that the owner has granted. */
export interface GrantedKey {
  readonly key: KeyPair;
  readonly apiKey: string;
  readonly grant: string;
}

const nowS = (): number => Math.floor(Date.now() / 1000);

/** What the owner of a cluster can do besides the command line: sign any grant, and rosters. */
export class ClusterOwner implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #key: KeyPair;
  readonly #caller: RawCaller;
  readonly #revoked: KeyId[] = [];
  #seq = 1;

  private constructor(cluster: Cluster, key: KeyPair, caller: RawCaller) {
    this.#cluster = cluster;
    this.#key = key;
    this.#caller = caller;
  }

  /** After the first machine has joined: the relay has its first roster then. */
  static async of(cluster: Cluster): Promise<ClusterOwner> {
    const file = path.join(cluster.operatorHome, "owner", "owner.key");
    const key = await openOwnerKey(parseSealedKey(await readFile(file, "utf8"), file), OWNER_PASSPHRASE);
    if (key === undefined) throw new Error("the owner key is sealed under another passphrase");
    return new ClusterOwner(cluster, key, await RawCaller.connect(cluster.relayAddress));
  }

  /** A new key for all machines, with the scope `terminal` and an hour to live unless said otherwise. */
  async grant(more: Partial<Grant> = {}): Promise<GrantedKey> {
    const key = generateKeyPair();
    const claims: Grant = {
      key: key.publicKey,
      name: "test",
      scopes: ["terminal"],
      machines: [{ name: "*" }],
      iat: nowS(),
      not_after: nowS() + 3600,
      ...more,
    };
    const grant = await signGrant(claims, this.#key);
    await this.#call("/cmdop.relay.v1.Keys/Put", codec(Keys.method.put.input).serialize({ grant }));
    const relay = { id: this.#cluster.relayId, address: this.#cluster.relayAddress };
    return { key, apiKey: formatApiKey({ key, relay }), grant };
  }

  /** Revokes a key, besides those that it has revoked before. */
  async revoke(key: KeyPair): Promise<void> {
    this.#revoked.push(key.id);
    this.#seq += 1;
    const claims = {
      seq: this.#seq,
      iat: nowS(),
      owners: [this.#key.publicKey],
      relays: [{ id: this.#cluster.relayId, addresses: [this.#cluster.relayAddress] }],
      revoked: this.#revoked,
    };
    const roster = await signRoster(claims, this.#key);
    await this.#call("/cmdop.relay.v1.Roster/Put", codec(Roster.method.put.input).serialize({ roster }));
  }

  /** The headers of a call of this key on a machine's local socket: there is no relay to add the grant. */
  async headers({ key, grant }: GrantedKey, machine: string): Promise<Record<string, string>> {
    const token = await signCallToken({ relayId: this.#cluster.relayId, machine }, key, nowS());
    return { [HEADERS.authorization]: `Bearer ${token}`, [HEADERS.grant]: grant };
  }

  async #call(method: string, message: Uint8Array): Promise<void> {
    const token = await signCallToken({ relayId: this.#cluster.relayId, machine: null }, this.#key, nowS());
    const trailers = await this.#caller.call(method, { [HEADERS.authorization]: `Bearer ${token}` }, message);
    if (trailers["grpc-status"] !== "0") throw new Error(`${method}: ${JSON.stringify(trailers)}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#caller[Symbol.asyncDispose]();
  }
}
