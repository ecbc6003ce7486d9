import {
  type ApiKey,
  bytes32Schema,
  DEFAULT_GRANT_LIFETIME_S,
  formatApiKey,
  type Grant,
  generateKeyPair,
  Keys as KeysService,
  type MachineSelector,
  type Scope,
  signGrant,
} from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import { type MachineStatus, machineStatus } from "./machines.ts";

/** What a new key may do. */
export interface CreateKeyOptions {
  /** What people call the key. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Machines that it reaches: ids, names, names with `*`, or selectors. */
  readonly machines: readonly (string | MachineSelector)[];
  /** Directories that its files scopes are bound to; everywhere unless given. */
  readonly paths?: readonly string[] | undefined;
  /** Life of the key in seconds; 90 days unless given. */
  readonly expiresInS?: number | undefined;
}

/** A new key. The only copy of the secret. */
export interface CreatedKey {
  readonly apiKey: string;
  readonly keyId: string;
  /** When it ends, in milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** The calling key, as the relay knows it. */
export interface WhoAmI {
  readonly keyId: string;
  /** What the owner calls it; empty for an owner. */
  readonly name: string;
  readonly scopes: readonly string[];
  /** When it ends, in milliseconds since 1970; null for an owner. */
  readonly expiresAtMs: number | null;
  readonly owner: boolean;
  /** The machines that it reaches now, sorted by name. */
  readonly machines: readonly MachineStatus[];
}

/** The keys of a relay. */
export class Keys {
  readonly #relay: MachineCaller;
  readonly #apiKey: () => ApiKey;

  constructor(relay: MachineCaller, apiKey: () => ApiKey) {
    this.#relay = relay;
    this.#apiKey = apiKey;
  }

  /** Makes a key and gives its grant, signed here, to the relay. Needs a client made with the owner's key. */
  async create(options: CreateKeyOptions): Promise<CreatedKey> {
    const { key: owner, relay } = this.#apiKey();
    const key = generateKeyPair();
    const iat = Math.floor(Date.now() / 1000);
    const notAfter = iat + (options.expiresInS ?? DEFAULT_GRANT_LIFETIME_S);
    const claims: Grant = {
      key: key.publicKey,
      name: options.name,
      scopes: [...options.scopes],
      machines: options.machines.map(selector),
      ...(options.paths === undefined ? {} : { paths: [...options.paths] }),
      iat,
      not_after: notAfter,
    };
    const grant = await signGrant(claims, owner);
    const service = this.#relay.client(KeysService);
    const { keyId } = await this.#relay.invoke("/cmdop.relay.v1.Keys/Put", (call) =>
      service.put({ grant }, call),
    );
    return { apiKey: formatApiKey({ key, relay }), keyId, expiresAtMs: notAfter * 1000 };
  }

  /** Who this client is to the relay, and what it reaches. */
  async whoAmI(): Promise<WhoAmI> {
    const service = this.#relay.client(KeysService);
    const answer = await this.#relay.invoke("/cmdop.relay.v1.Keys/WhoAmI", (call) =>
      service.whoAmI({}, call),
    );
    const { keyId, name, scopes, notAfter, owner, machines } = answer;
    return {
      keyId,
      name,
      scopes,
      owner,
      expiresAtMs: notAfter === 0 ? null : notAfter * 1000,
      machines: machines.map(machineStatus),
    };
  }
}

function selector(machine: string | MachineSelector): MachineSelector {
  if (typeof machine !== "string") return machine;
  return bytes32Schema.safeParse(machine).success ? { id: machine } : { name: machine };
}
