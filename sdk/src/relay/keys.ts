import {
  type ApiKey,
  bytes32Schema,
  CmdopError,
  DEFAULT_GRANT_LIFETIME_S,
  formatApiKey,
  type Grant,
  generateKeyPair,
  Keys as KeysService,
  type MachineSelector,
  signGrant,
  thumbprint,
  verifyGrant,
} from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import type { OnSigned } from "../options.ts";
import { keptKeys, keyInfo } from "./kept-keys.ts";
import type { CreatedKey, CreateKeyOptions, KeyInfo, RotateKeyOptions, StoppedKey } from "./key-types.ts";
import { type MachineStatus, machineStatus } from "./machines.ts";
import type { Roster } from "./roster.ts";

/** Most ids in one error message. */
const MAX_IDS_SHOWN = 10;

/** The calling key, as the relay knows it. */
export interface WhoAmI {
  readonly keyId: string;
  /** The owner's name for the key; empty for an owner. */
  readonly name: string;
  readonly scopes: readonly string[];
  /** Time of its end, in milliseconds since 1970; null for an owner. */
  readonly expiresAtMs: number | null;
  readonly owner: boolean;
  /** The machines that the key reaches now, sorted by name. */
  readonly machines: readonly MachineStatus[];
  /** The relay's clock, in milliseconds since 1970. */
  readonly relayTimeMs: number;
  readonly relayVersion: string;
}

/** The keys of a relay. */
export class Keys {
  readonly #relay: MachineCaller;
  readonly #apiKey: () => ApiKey;
  readonly #roster: Roster;
  readonly #onSigned: OnSigned;

  constructor(relay: MachineCaller, apiKey: () => ApiKey, roster: Roster, onSigned: OnSigned) {
    this.#relay = relay;
    this.#apiKey = apiKey;
    this.#roster = roster;
    this.#onSigned = onSigned;
  }

  /**
   * Makes a key, and sends its grant, signed here, to the relay. Needs a client made with the owner's key.
   * @throws CmdopError InvalidArgument, PermissionDenied
   */
  async create(options: CreateKeyOptions): Promise<CreatedKey> {
    const { machines = [], labels, paths, jobs } = options;
    const selectors = machines.map(selector);
    if (labels !== undefined && Object.keys(labels).length > 0) selectors.push({ labels: { ...labels } });
    if (selectors.length === 0) {
      throw new CmdopError("InvalidArgument", `The key ${options.name} would reach no machine.`, {
        next: "Name its machines (ids, names, * for all) or its labels.",
      });
    }
    const lifetimeS = options.expiresInS ?? DEFAULT_GRANT_LIFETIME_S;
    if (!Number.isSafeInteger(lifetimeS) || lifetimeS < 1) {
      throw new CmdopError(
        "InvalidArgument",
        `A key's lifetime must be a whole number of seconds, at least 1, not ${lifetimeS}.`,
      );
    }
    return this.#grant(
      {
        name: options.name,
        scopes: [...options.scopes],
        machines: selectors,
        ...(paths === undefined ? {} : { paths: [...paths] }),
        ...(jobs === undefined ? {} : { jobs }),
      },
      lifetimeS,
    );
  }

  /**
   * Returns the keys that the relay keeps, ended and revoked ones too, sorted by id. Needs the scope `admin`,
   * or the owner's key.
   */
  async list(): Promise<KeyInfo[]> {
    const keys: KeyInfo[] = [];
    for await (const kept of keptKeys(this.#relay)) keys.push(keyInfo(kept));
    return keys;
  }

  /**
   * Returns one key, by its id or its name. Of several keys with one name it returns the active one.
   * @throws CmdopError NotFound; InvalidArgument when several match
   */
  async show(idOrName: string): Promise<KeyInfo> {
    if (bytes32Schema.safeParse(idOrName).success) {
      for await (const kept of keptKeys(this.#relay, idOrName)) {
        if (kept.keyId === idOrName) return keyInfo(kept);
      }
    }
    const named: KeyInfo[] = [];
    for await (const kept of keptKeys(this.#relay)) {
      const key = keyInfo(kept);
      if (key.name === idOrName) named.push(key);
    }
    const active = named.filter(({ state }) => state === "active");
    const [key, namesake] = active.length > 0 ? active : named;
    if (key === undefined) {
      throw new CmdopError(
        "NotFound",
        `This relay knows no key with the id or the name ${JSON.stringify(idOrName)}.`,
        {
          next: "List the keys: cmdop keys list, or client.keys.list().",
        },
      );
    }
    if (namesake !== undefined) {
      const ids = (active.length > 0 ? active : named).map(({ keyId }) => keyId);
      throw new CmdopError(
        "InvalidArgument",
        `${ids.length} keys are called ${idOrName}: ${ids.slice(0, MAX_IDS_SHOWN).join(", ")}${ids.length > MAX_IDS_SHOWN ? ", …" : ""}.`,
        { next: "Name one by its id." },
      );
    }
    return key;
  }

  /**
   * Stops a key for good. The owner's key revokes it: a new roster tells every machine. A key with the scope
   * `admin` blocks it: this relay refuses it, and machines learn of it only when an owner revokes it too.
   */
  async revoke(idOrName: string): Promise<StoppedKey> {
    const isOwner = await this.#roster.namesMe();
    // An id needs no look-up, so that a key that this relay has never seen can be revoked as well.
    const isId = bytes32Schema.safeParse(idOrName).success;
    const keyId = isId ? idOrName : (await this.show(idOrName)).keyId;
    if (isOwner) {
      await this.#roster.revoke(keyId);
      return { keyId, how: "revoked" };
    }
    const service = this.#relay.client(KeysService);
    await this.#relay.invoke("/cmdop.relay.v1.Keys/Block", (call) => service.block({ keyId }, call));
    return { keyId, how: "blocked" };
  }

  /**
   * Makes a new key with the same grant and the same lifetime, counted from now, and revokes the old one.
   * Needs the owner's key.
   */
  async rotate(idOrName: string, { keepOld = false }: RotateKeyOptions = {}): Promise<CreatedKey> {
    const old = await this.show(idOrName);
    if (old.state === "revoked" || old.state === "blocked") {
      throw new CmdopError("KeyRevoked", `The key ${old.name} (${old.keyId}) is ${old.state}.`, {
        next: "Make a new key instead, with the rights that it needs.",
      });
    }
    // The terms to be signed must have been signed by an owner before, whatever the relay shows.
    const grant = await verifyGrant(old.grant, (await this.#roster.verified()).owners);
    if (thumbprint(grant.key) !== old.keyId) {
      throw new CmdopError("GrantRefused", `The relay shows another key's grant for ${old.keyId}.`);
    }
    const { key: _key, iat, not_after, ...terms } = grant;
    const created = await this.#grant(terms, not_after - iat);
    if (keepOld) return created;
    try {
      await this.#roster.revoke(old.keyId);
    } catch (cause) {
      const { message } = CmdopError.from(cause);
      throw new CmdopError("OutcomeUnknown", `The old key ${old.keyId} may still be in force: ${message}`, {
        next: `Revoke it again. The new key ${created.keyId} was made, but nobody has it: revoke it too, and rotate again.`,
        cause,
      });
    }
    return created;
  }

  /**
   * Sends the relay a grant that an owner has signed, as `list` and `onSigned` give it; for a relay that has
   * lost it, and harmless otherwise. Needs an owner's key. Returns the key's id.
   * @throws CmdopError KeyRevoked, GrantExpired, GrantRefused
   */
  async bring(grant: string): Promise<string> {
    const service = this.#relay.client(KeysService);
    const { keyId } = await this.#relay.invoke("/cmdop.relay.v1.Keys/Put", (call) =>
      service.put({ grant }, call),
    );
    return keyId;
  }

  /** Returns the identity of this client at the relay, and the machines that it reaches. */
  async whoAmI(): Promise<WhoAmI> {
    const service = this.#relay.client(KeysService);
    const answer = await this.#relay.invoke("/cmdop.relay.v1.Keys/WhoAmI", (call) =>
      service.whoAmI({}, call),
    );
    const { keyId, name, scopes, notAfter, owner, machines, relayTimeMs, relayVersion } = answer;
    return {
      keyId,
      name,
      scopes,
      owner,
      expiresAtMs: notAfter === 0 ? null : notAfter * 1000,
      machines: machines.map(machineStatus),
      relayTimeMs,
      relayVersion,
    };
  }

  async #grant(terms: Omit<Grant, "key" | "iat" | "not_after">, lifetimeS: number): Promise<CreatedKey> {
    const { key: owner, relay } = this.#apiKey();
    const key = generateKeyPair();
    const iat = Math.floor(Date.now() / 1000);
    const notAfter = iat + lifetimeS;
    const grant = await signGrant({ key: key.publicKey, ...terms, iat, not_after: notAfter }, owner);
    const keyId = await this.bring(grant);
    await this.#onSigned({ kind: "grant", statement: grant });
    return { apiKey: formatApiKey({ key, relay }), keyId, expiresAtMs: notAfter * 1000 };
  }
}

function selector(machine: string | MachineSelector): MachineSelector {
  if (typeof machine !== "string") return machine;
  return bytes32Schema.safeParse(machine).success ? { id: machine } : { name: machine };
}
