import {
  CLOCK_TOLERANCE_S,
  CmdopError,
  checkGrantTime,
  type ErrorCode,
  type KeyId,
  type MachineIdentity,
  type PublicKey,
  type RosterClaims,
  TrustedClock,
  thumbprint,
  verifyGrant,
  verifyRoster,
} from "@cmdop/proto";
import type { Directory, VerifiedGrant } from "../data/directory.ts";
import type { JoinUse, Store, StoredMachine } from "./store.ts";

/** Verified grants kept in memory: some 2 KiB each, so 20 MiB at most. */
const MAX_CACHED_GRANTS = 10_000;

/** What the owners have said, verified: who may grant, which keys and machines there are. */
export class Trust implements Directory {
  readonly relayId: string;
  readonly clock: TrustedClock;
  readonly #store: Store;
  readonly #grants = new Map<KeyId, VerifiedGrant>();
  readonly #machines = new Map<string, StoredMachine>();
  readonly #byName = new Map<string, Map<string, StoredMachine>>();
  #roster: { readonly statement: string; readonly claims: RosterClaims } | undefined;
  #owners = new Map<KeyId, PublicKey>();
  #putting: Promise<unknown> = Promise.resolve();
  #revoked: ReadonlySet<KeyId> = new Set();

  private constructor(store: Store, relayId: string, firstOwner: PublicKey, clock: TrustedClock) {
    this.#store = store;
    this.relayId = relayId;
    this.clock = clock;
    this.#owners.set(thumbprint(firstOwner), firstOwner);
  }

  /** `firstOwner` counts until the first roster is stored; from then on the roster's owners do, and nobody else. */
  static async open(options: {
    store: Store;
    relayId: string;
    firstOwner: PublicKey;
    clock?: TrustedClock | undefined;
  }): Promise<Trust> {
    const { store, relayId, firstOwner } = options;
    const trust = new Trust(store, relayId, firstOwner, options.clock ?? new TrustedClock());
    for (const machine of await store.machines()) trust.#keep(machine);
    const stored = await store.roster();
    if (stored !== undefined) {
      trust.#adopt(stored.statement, await verifyRoster(stored.statement, stored.trustedOwners));
    }
    return trust;
  }

  nowS(): number {
    return this.clock.nowS();
  }

  rosterSeq(): number {
    return this.#roster?.claims.seq ?? 0;
  }

  /** The roster in force; undefined until an owner has put the first. */
  roster(): { readonly statement: string; readonly claims: RosterClaims } | undefined {
    return this.#roster;
  }

  owners(): readonly PublicKey[] {
    return [...this.#owners.values()];
  }

  ownerKey(keyId: KeyId): PublicKey | undefined {
    return this.#owners.get(keyId);
  }

  isRevoked(keyId: KeyId): boolean {
    return this.#revoked.has(keyId);
  }

  async grantOf(keyId: KeyId): Promise<VerifiedGrant | undefined> {
    const cached = this.#grants.get(keyId);
    if (cached !== undefined) return cached;
    const statement = await this.#store.grant(keyId);
    if (statement === undefined) return undefined;
    const roster = this.#roster;
    const grant = { statement, claims: await verifyGrant(statement, this.owners()) };
    // Its signer may have left the owners meanwhile.
    if (this.#roster !== roster) return this.grantOf(keyId);
    if (this.#grants.size >= MAX_CACHED_GRANTS) this.#grants.clear();
    this.#grants.set(keyId, grant);
    return grant;
  }

  /** Keeps an owner-signed grant; a key has one grant for ever. */
  async putGrant(statement: string): Promise<KeyId> {
    const claims = await verifyGrant(statement, this.owners());
    const keyId = thumbprint(claims.key);
    if (this.isRevoked(keyId)) {
      throw new CmdopError("KeyRevoked", `The key ${keyId} is revoked, and so it stays.`);
    }
    if (this.#owners.has(keyId)) {
      throw new CmdopError(
        "InvalidArgument",
        "An owner's own key can't be granted anything: use a key of its own.",
      );
    }
    checkGrantTime(claims, this.nowS());
    checkNotFromFuture("grant", "InvalidArgument", claims.iat, this.nowS());
    if ((await this.#store.putGrant(keyId, statement)) !== statement) {
      throw new CmdopError("AlreadyExists", `The key ${keyId} has another grant already.`, {
        next: "Grants are never changed: revoke this key and create a new one.",
      });
    }
    return keyId;
  }

  /** Keeps a roster with a higher seq than the present one, signed by a present owner. Returns what is in force. */
  putRoster(statement: string): Promise<RosterClaims> {
    // One after the other: what a roster may do is up to the owners that the one before it names.
    const put = (): Promise<RosterClaims> => this.#putRoster(statement);
    const putting = this.#putting.then(put, put);
    this.#putting = putting;
    return putting;
  }

  async #putRoster(statement: string): Promise<RosterClaims> {
    if (this.#roster?.statement === statement) return this.#roster.claims;
    const claims = await verifyRoster(statement, this.owners());
    const lowestSeq = (this.#roster?.claims.seq ?? 0) + 1;
    if (claims.seq < lowestSeq) {
      throw new CmdopError(
        "InvalidArgument",
        `This roster has seq ${claims.seq}; the one in force has ${lowestSeq - 1}.`,
        { next: `Sign it again with seq ${lowestSeq} or higher.` },
      );
    }
    checkNotFromFuture("roster", "InvalidArgument", claims.iat, this.nowS());
    const kept = await this.#store.putRoster(claims.seq, { statement, trustedOwners: this.owners() });
    if (kept.statement !== statement) {
      throw new CmdopError("InvalidArgument", "Another roster with the same or a higher seq came first.");
    }
    this.#adopt(statement, claims);
    return claims;
  }

  machine(id: string): StoredMachine | undefined {
    return this.#machines.get(id);
  }

  machines(): readonly StoredMachine[] {
    return [...this.#machines.values()].sort(
      (a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1),
    );
  }

  machinesCalled(idOrName: string): readonly MachineIdentity[] {
    const byId = this.#machines.get(idOrName);
    if (byId !== undefined) return [byId];
    return [...(this.#byName.get(idOrName)?.values() ?? [])];
  }

  /** Takes one use of a join token for a machine. Undefined when none is left. */
  async join(use: JoinUse): Promise<StoredMachine | undefined> {
    const machine = await this.#store.join(use);
    if (machine !== undefined) this.#keep(machine);
    return machine;
  }

  async seen(machineId: string, agentVersion: string): Promise<void> {
    const machine = this.#machines.get(machineId);
    if (machine === undefined) return;
    const lastSeenMs = Date.now();
    this.#keep({ ...machine, lastSeenMs, agentVersion });
    await this.#store.seen(machineId, lastSeenMs, agentVersion);
  }

  #keep(machine: StoredMachine): void {
    const before = this.#machines.get(machine.id);
    if (before !== undefined) this.#byName.get(before.name)?.delete(machine.id);
    this.#machines.set(machine.id, machine);
    const namesakes = this.#byName.get(machine.name) ?? new Map<string, StoredMachine>();
    this.#byName.set(machine.name, namesakes.set(machine.id, machine));
  }

  #adopt(statement: string, claims: RosterClaims): void {
    this.#roster = { statement, claims };
    this.#owners = new Map(claims.owners.map((owner) => [thumbprint(owner), owner]));
    this.#revoked = new Set(claims.revoked);
    this.clock.observeOwner(claims.iat);
    // Some of them may have been signed by an owner who is none any more.
    this.#grants.clear();
  }
}

/**
 * Refuses an owner's statement that says it was signed later than now: machines
 * take its time as a lower bound of their own clock, and would refuse every
 * call until then. `iatS`, `nowS`: seconds since 1970.
 */
export function checkNotFromFuture(what: string, code: ErrorCode, iatS: number, nowS: number): void {
  if (iatS <= nowS + CLOCK_TOLERANCE_S) return;
  throw new CmdopError(
    code,
    `This ${what} is from the future: it says ${new Date(iatS * 1000).toISOString()}, the clock here ${new Date(nowS * 1000).toISOString()}.`,
    { next: "Correct the clock that is wrong, the owner's most likely, and sign it anew." },
  );
}
