import {
  type ApiKey,
  CmdopError,
  type KeyPair,
  MAX_REVOKED_KEYS,
  type PublicKey,
  type RosterClaims,
  Roster as RosterService,
  readRoster,
  signRoster,
  statementSigner,
  thumbprint,
  verifyGrant,
  verifyRoster,
} from "@cmdop/proto";
import type { MachineCaller } from "../connection/caller.ts";
import type { OnSigned } from "../options.ts";
import { keptKeys } from "./kept-keys.ts";
import type { OwnerRotation, RosterContent, RosterInfo, RotateOwnerOptions } from "./roster-types.ts";
import { rotateOwner } from "./rotate-owner.ts";

/** Most attempts at a change, when other owners' changes come first. */
const MAX_LOST_RACES = 8;

/**
 * The roster: the owner's statement of the keys that may grant and the keys that are revoked, kept by the
 * relay.
 */
export class Roster {
  readonly #relay: MachineCaller;
  readonly #apiKey: () => ApiKey;
  readonly #onSigned: OnSigned;
  /** Owners that the user of this client trusts, besides its own key. */
  readonly #trusted = new Set<PublicKey>();
  #highestSeq = 0;

  constructor(relay: MachineCaller, apiKey: () => ApiKey, onSigned: OnSigned) {
    this.#relay = relay;
    this.#apiKey = apiKey;
    this.#onSigned = onSigned;
  }

  /**
   * Makes sure that the relay has a roster signed by this owner. A new relay gets its first one. A roster
   * that another owner has signed is signed again, so that machines which join by this owner's tokens can
   * follow it. Needs a client made with the owner's key. `owners`: the public keys that may grant, with this
   * one; from now on this client trusts their rosters.
   */
  async ensure(owners: readonly PublicKey[]): Promise<void> {
    for (const owner of owners) this.#trusted.add(owner);
    const { key, relay } = this.#apiKey();
    const roster = (await this.statements()).at(-1);
    if (roster === undefined) {
      const relays = [{ id: relay.id, addresses: [relay.address] }];
      const claims = { seq: 1, iat: nowS(), owners: [...owners], relays, revoked: [] };
      await this.#put(await signRoster(claims, key));
      return;
    }
    if (statementSigner(roster) !== key.id && readRoster(roster).owners.includes(key.publicKey)) {
      await this.change(() => ({}));
    }
  }

  /**
   * Returns the relay's signed rosters, the oldest first: the one in force, and before it those that let a
   * client which knows an earlier owner follow to it. Empty if the relay has none.
   */
  async statements(): Promise<readonly string[]> {
    try {
      const { roster, handOvers } = await this.#fetch(true);
      return [...handOvers.filter((statement) => statement !== roster), roster];
    } catch (thrown) {
      if (thrown instanceof CmdopError && thrown.code === "NotFound") return [];
      throw thrown;
    }
  }

  /**
   * Restores rosters to a relay that has lost them, in any order, as `statements` or `onSigned` gave them.
   * Needs an owner's key that the relay already knows. Returns true if the relay's roster was older.
   */
  async bring(statements: readonly string[]): Promise<boolean> {
    const newest = (await this.statements()).at(-1);
    let seq = newest === undefined ? 0 : readRoster(newest).seq;
    const newer = statements.filter((statement) => readRoster(statement).seq > seq);
    let refusal: CmdopError | undefined;
    for (const statement of newer.toSorted((a, b) => readRoster(a).seq - readRoster(b).seq)) {
      if (readRoster(statement).seq <= seq) continue;
      const service = this.#relay.client(RosterService);
      try {
        await this.#relay.invoke("/cmdop.relay.v1.Roster/Put", (call) =>
          service.put({ roster: statement }, call),
        );
        ({ seq } = readRoster(statement));
        refusal = undefined;
      } catch (thrown) {
        // An older roster may be signed by an owner whom this relay has never known.
        refusal = CmdopError.from(thrown);
        if (refusal.code !== "GrantRefused") throw refusal;
      }
    }
    if (refusal !== undefined) throw refusal;
    return newer.length > 0;
  }

  /**
   * Returns the roster as the relay shows it. Its signature is verified only if this client is an owner's.
   */
  async get(): Promise<RosterInfo> {
    const claims = readRoster((await this.#fetch(false)).roster);
    const isOwner = claims.owners.includes(this.#apiKey().key.publicKey);
    return rosterInfo(isOwner ? await this.verified() : claims);
  }

  /** Returns true if the relay's roster names this client's key as an owner. */
  async namesMe(): Promise<boolean> {
    const { roster } = await this.#fetch(false);
    return readRoster(roster).owners.includes(this.#apiKey().key.publicKey);
  }

  /**
   * Signs a new roster with the changes that `change` returns. When another owner's change comes first,
   * `change` is called again with the roster then in force. Needs a client made with an owner's key.
   */
  change(change: (roster: RosterInfo) => Partial<RosterContent>): Promise<RosterInfo> {
    return this.#changeAs(this.#apiKey().key, change);
  }

  /**
   * Revokes a key for good; every machine learns of it as soon as it can be reached. Needs an owner's key.
   */
  revoke(keyId: string): Promise<RosterInfo> {
    return this.change(({ owners, revoked }) => {
      if (owners.some((owner) => thumbprint(owner) === keyId)) {
        throw new CmdopError(
          "InvalidArgument",
          `${keyId} is an owner's key: a roster can't revoke its owners.`,
          {
            next: "Name a new owner and remove this one: roster.rotateOwner.",
          },
        );
      }
      return { revoked: revoked.includes(keyId) ? revoked : [...revoked, keyId] };
    });
  }

  /**
   * Replaces an owner without a gap: both are owners until the active grants of the old one are signed again.
   * It can be repeated after a failure. Needs a client made with an owner's key, such as the recovery
   * owner's.
   */
  rotateOwner(options: RotateOwnerOptions): Promise<OwnerRotation> {
    return rotateOwner(options, {
      relay: this.#relay,
      me: this.#apiKey().key,
      change: (signer, change) => this.#changeAs(signer, change),
    });
  }

  /**
   * Returns the roster in force after verifying it: it must be signed by this client's own key, by an owner
   * that it trusts, or by one that these have named since.
   * @throws CmdopError GrantRefused
   */
  async verified(): Promise<RosterClaims> {
    const { roster, handOvers } = await this.#fetch(true);
    let known: RosterClaims | undefined;
    for (const statement of [...handOvers, roster]) {
      const owners = known?.owners ?? [this.#apiKey().key.publicKey, ...this.#trusted];
      try {
        const claims = await verifyRoster(statement, owners);
        if (claims.seq >= (known?.seq ?? 0)) known = claims;
      } catch (thrown) {
        // Older rosters may be signed by owners whom this client has never known.
        if (statement === roster) throw notFollowed(CmdopError.from(thrown));
      }
    }
    if (known === undefined || known.seq < this.#highestSeq || known.seq !== readRoster(roster).seq) {
      throw notFollowed(
        new CmdopError("GrantRefused", "It is older than a roster that the relay has shown before."),
      );
    }
    this.#highestSeq = known.seq;
    return known;
  }

  async #changeAs(
    signer: KeyPair,
    change: (roster: RosterInfo) => Partial<RosterContent>,
  ): Promise<RosterInfo> {
    for (let race = 1; ; race += 1) {
      const present = await this.verified();
      const wanted = { ...rosterInfo(present), ...change(rosterInfo(present)) };
      const claims: RosterClaims = {
        seq: present.seq + 1,
        iat: nowS(),
        owners: [...wanted.owners],
        relays: wanted.relays.map(({ id, addresses }) => ({ id, addresses: [...addresses] })),
        revoked: await this.#withinBound(wanted.revoked, present.owners),
      };
      try {
        await this.#put(await signRoster(claims, signer));
        return rosterInfo(claims);
      } catch (thrown) {
        const error = CmdopError.from(thrown);
        if (error.code !== "InvalidArgument" || race >= MAX_LOST_RACES) throw error;
        const { roster } = await this.#fetch(false);
        if (readRoster(roster).seq < claims.seq) throw error;
      }
    }
  }

  /**
   * Drops revoked keys whose grants have expired, if the list is too long. Machines take the roster's time as
   * the earliest present time, so they refuse those grants anyway.
   */
  async #withinBound(revoked: readonly string[], owners: readonly PublicKey[]): Promise<string[]> {
    if (revoked.length <= MAX_REVOKED_KEYS) return [...revoked];
    const left = new Set(revoked);
    for await (const { keyId, grant, orphaned } of keptKeys(this.#relay)) {
      if (!left.has(keyId) || orphaned) continue;
      const claims = await verifyGrant(grant, owners);
      if (thumbprint(claims.key) === keyId && claims.not_after <= nowS()) left.delete(keyId);
    }
    if (left.size <= MAX_REVOKED_KEYS) return [...left];
    throw new CmdopError("LimitExceeded", `A roster revokes at most ${MAX_REVOKED_KEYS} keys.`, {
      next: "Wait until grants of revoked keys have ended, or rotate the owner: the old owner's grants then lose their effect.",
    });
  }

  #fetch(handOvers: boolean): Promise<{ roster: string; handOvers: readonly string[] }> {
    const service = this.#relay.client(RosterService);
    return this.#relay.invoke("/cmdop.relay.v1.Roster/Get", (call) => service.get({ handOvers }, call));
  }

  async #put(roster: string): Promise<void> {
    const service = this.#relay.client(RosterService);
    await this.#relay.invoke("/cmdop.relay.v1.Roster/Put", (call) => service.put({ roster }, call));
    await this.#onSigned({ kind: "roster", statement: roster });
  }
}

function rosterInfo({ seq, owners, relays, revoked, iat }: RosterClaims): RosterInfo {
  return { seq, owners, relays, revoked, signedAtMs: iat * 1000 };
}

function nowS(): number {
  return Math.floor(Date.now() / 1000);
}

function notFollowed(cause: CmdopError): CmdopError {
  return new CmdopError(
    "GrantRefused",
    `The relay's roster is not one that this owner can follow: ${cause.message}`,
    {
      next: "Name the owners that you trust (roster.ensure), or use the key of the owner who signed last. A relay that shows a roster of unknown owners may be lying.",
      cause,
    },
  );
}
