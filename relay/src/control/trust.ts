import {
  CLOCK_TOLERANCE_S,
  CmdopError,
  checkGrantTime,
  type ErrorCode,
  type KeyId,
  type MachineIdentity,
  type PublicKey,
  type RosterClaims,
  statementText,
  TrustedClock,
  thumbprint,
  verifyGrant,
  verifyMachineRecord,
  verifyRoster,
} from "@cmdop/proto";
import type { Directory, VerifiedGrant } from "../data/directory.ts";
import { KeyUses } from "./key-uses.ts";
import { KnownMachines } from "./known-machines.ts";
import { PastRosters } from "./past-rosters.ts";
import type { JoinUse, Store, StoredGrant, StoredMachine } from "./store.ts";

/** Most verified grants in memory: about 2 KiB each, so 20 MiB at most. */
const MAX_CACHED_GRANTS = 10_000;

/**
 * Shortest interval between writes of a machine's last contact to the store, in milliseconds. Each write
 * waits for the disk, and a machine may dial as often as it likes.
 */
const SEEN_WRITE_INTERVAL_MS = 60_000;

/** Options of a relay's trust. */
export interface TrustOptions {
  readonly store: Store;
  readonly relayId: string;
  readonly firstOwner: PublicKey;
  readonly clock?: TrustedClock | undefined;
  readonly uses?: KeyUses | undefined;
}

/** The owners' verified statements: the keys that may grant, the granted keys, and the machines. */
export class Trust implements Directory {
  readonly relayId: string;
  readonly clock: TrustedClock;
  readonly #store: Store;
  readonly #grants = new Map<KeyId, VerifiedGrant>();
  readonly #machines = new KnownMachines();
  readonly #blocked: Set<KeyId>;
  readonly #quarantines = new Map<string, number>();
  /** Times of those writes, by a clock that never goes back. */
  readonly #seenWrittenAtMs = new Map<string, number>();
  readonly #uses: KeyUses;
  #roster: { readonly statement: string; readonly claims: RosterClaims } | undefined;
  #past = new PastRosters([]);
  #owners = new Map<KeyId, PublicKey>();
  #putting: Promise<unknown> = Promise.resolve();
  #revoked: ReadonlySet<KeyId> = new Set();
  /** Replaced whenever a verified grant may no longer be valid. */
  #grantsEra = {};

  private constructor({ store, relayId, firstOwner, clock, uses }: TrustOptions, blocked: readonly KeyId[]) {
    this.#store = store;
    this.relayId = relayId;
    this.clock = clock ?? new TrustedClock();
    this.#uses = uses ?? new KeyUses(store);
    this.#blocked = new Set(blocked);
    this.#owners.set(thumbprint(firstOwner), firstOwner);
  }

  /**
   * Opens the trust from the store. `firstOwner` is the owner until the first roster is stored; from then on
   * only the roster's owners are.
   */
  static async open(options: TrustOptions): Promise<Trust> {
    const { store } = options;
    const trust = new Trust(options, await store.blockedKeys());
    for (const machine of await store.machines()) trust.#machines.keep(machine);
    for (const [id, sinceMs] of await store.quarantines()) trust.#quarantines.set(id, sinceMs);
    const stored = await store.roster();
    if (stored !== undefined) {
      const past = await store.pastRosters();
      trust.#past =
        past.length > 0 ? new PastRosters(past) : new PastRosters([]).with(stored.statement, undefined);
      trust.#adopt(stored.statement, await verifyRoster(stored.statement, stored.trustedOwners));
    }
    return trust;
  }

  nowS(): number {
    return this.clock.nowS();
  }

  steadyS(): number {
    return this.clock.steadyS();
  }

  rosterSeq(): number {
    return this.#roster?.claims.seq ?? 0;
  }

  /** Returns the roster in force; undefined until an owner has put the first. */
  roster(): { readonly statement: string; readonly claims: RosterClaims } | undefined {
    return this.#roster;
  }

  owners(): readonly PublicKey[] {
    return [...this.#owners.values()];
  }

  ownerKey(keyId: KeyId): PublicKey | undefined {
    return this.#owners.get(keyId);
  }

  /** Returns the rosters that lead others to the present one. */
  pastRosters(): PastRosters {
    return this.#past;
  }

  isRevoked(keyId: KeyId): boolean {
    return this.#revoked.has(keyId) || this.isBlocked(keyId);
  }

  /** Returns true if the owners have revoked a key, for every relay and machine. */
  isRevokedByRoster(keyId: KeyId): boolean {
    return this.#revoked.has(keyId);
  }

  /**
   * Returns true if this relay alone refuses a key. A block from before the key became an owner's does not
   * count.
   */
  isBlocked(keyId: KeyId): boolean {
    return this.#blocked.has(keyId) && !this.#owners.has(keyId);
  }

  /** Refuses a key at this relay from now on. */
  async block(keyId: KeyId): Promise<void> {
    if (this.#owners.has(keyId)) {
      throw new CmdopError("PermissionDenied", `${keyId} is an owner's key: no relay can block it.`, {
        next: "Another owner can remove it from the roster.",
      });
    }
    if ((await this.#store.grant(keyId)) === undefined) {
      throw new CmdopError("NotFound", `This relay knows no key ${keyId}.`, {
        next: "List the keys: cmdop keys list.",
      });
    }
    await this.#block([keyId]);
  }

  async #block(keyIds: readonly KeyId[]): Promise<void> {
    await this.#store.block(keyIds);
    for (const keyId of keyIds) this.#blocked.add(keyId);
  }

  used(keyId: KeyId): void {
    this.#uses.note(keyId);
  }

  /** Returns the grants after a key id, sorted by key id. */
  async grants(after: KeyId, limit: number): Promise<StoredGrant[]> {
    return this.#uses.upToDate(await this.#store.grants(after, limit));
  }

  /** Returns the grant of one key, or none. */
  async storedGrant(keyId: KeyId): Promise<StoredGrant[]> {
    return this.#uses.upToDate(await this.#store.storedGrant(keyId));
  }

  async grantOf(keyId: KeyId): Promise<VerifiedGrant | undefined> {
    const cached = this.#grants.get(keyId);
    if (cached !== undefined) return cached;
    const era = this.#grantsEra;
    const statement = await this.#store.grant(keyId);
    if (statement === undefined) return undefined;
    const grant = { statement, claims: await verifyGrant(statement, this.owners()) };
    // The signer may have left the owners meanwhile, or another owner may have signed the grant.
    if (this.#grantsEra !== era) return this.grantOf(keyId);
    if (this.#grants.size >= MAX_CACHED_GRANTS) this.#grants.clear();
    this.#grants.set(keyId, grant);
    return grant;
  }

  /**
   * Keeps an owner-signed grant. A key keeps its grant for ever, unless the owner who signed it has left;
   * another owner may sign the same terms again.
   */
  async putGrant(statement: string): Promise<KeyId> {
    const claims = await verifyGrant(statement, this.owners());
    const keyId = thumbprint(claims.key);
    if (this.isRevoked(keyId)) {
      throw new CmdopError("KeyRevoked", `The key ${keyId} is revoked for good.`);
    }
    if (this.#owners.has(keyId)) {
      throw new CmdopError("InvalidArgument", "An owner's key can't get a grant: use a separate key.");
    }
    checkGrantTime(claims, this.nowS());
    checkNotFromFuture("grant", "InvalidArgument", claims.iat, this.nowS());
    const kept = await this.#store.putGrant(keyId, statement);
    const isKept =
      kept === statement ||
      ((statementText(kept) === statementText(statement) || (await this.#isOrphaned(kept))) &&
        (await this.#store.putGrant(keyId, statement, kept)) === statement);
    if (!isKept) {
      throw new CmdopError("AlreadyExists", `The key ${keyId} has another grant already.`, {
        next: "Grants are never changed: revoke this key and create a new one.",
      });
    }
    if (kept !== statement) this.#forgetGrants();
    return keyId;
  }

  async #isOrphaned(grant: string): Promise<boolean> {
    try {
      await verifyGrant(grant, this.owners());
      return false;
    } catch (thrown) {
      if (thrown instanceof CmdopError && thrown.code === "GrantRefused") return true;
      throw thrown;
    }
  }

  /**
   * Keeps a roster with a higher seq than the present one, signed by a present owner. Returns the roster in
   * force.
   */
  putRoster(statement: string): Promise<RosterClaims> {
    // Rosters are put one after the other, because the owners in the one before decide on the next.
    const put = (): Promise<RosterClaims> => this.#putRoster(statement);
    const putting = this.#putting.then(put, put);
    this.#putting = putting;
    return putting;
  }

  /**
   * Takes a newer roster that a machine holds and this relay has lost. Keys that the owners, not knowing of
   * it, have revoked here meanwhile stay blocked; their ids are returned.
   */
  async learnRoster(statement: string): Promise<readonly KeyId[]> {
    const before = this.#revoked;
    const { seq, revoked } = await this.putRoster(statement);
    const dropped = [...before.difference(new Set(revoked))];
    if (this.rosterSeq() !== seq || dropped.length === 0) return [];
    await this.#block(dropped);
    return dropped;
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
    const past = this.#past.with(statement, this.#roster?.claims.owners);
    const trustedOwners = this.owners();
    const kept = await this.#store.putRoster(claims.seq, { statement, trustedOwners }, past.stored);
    if (kept.statement !== statement) {
      throw new CmdopError("InvalidArgument", "Another roster with the same or a higher seq came first.");
    }
    this.#past = past;
    this.#adopt(statement, claims);
    return claims;
  }

  machine(id: string): StoredMachine | undefined {
    return this.#machines.get(id);
  }

  machines(): readonly StoredMachine[] {
    return this.#machines.all();
  }

  machinesCalled(idOrName: string): readonly MachineIdentity[] {
    return this.#machines.called(idOrName);
  }

  /**
   * Keeps a machine record with a higher seq than the present one, signed by a present owner. Returns the
   * machine as it is then.
   */
  async putRecord(statement: string): Promise<StoredMachine> {
    const record = await verifyMachineRecord(statement, this.owners());
    const machine = await this.#store.putRecord(record, statement);
    if (machine === undefined) {
      throw new CmdopError("MachineUnknown", `No machine with the id ${record.id} has joined this relay.`);
    }
    if (machine.record !== statement) {
      throw new CmdopError(
        "InvalidArgument",
        `This machine record has seq ${record.seq}; the one in force has ${machine.recordSeq}.`,
        { next: `Read the machine's record again, and sign it with seq ${machine.recordSeq + 1} or higher.` },
      );
    }
    const { lastSeenMs, agentVersion } = this.#machines.get(machine.id) ?? machine;
    this.#machines.keep({ ...machine, lastSeenMs, agentVersion });
    return machine;
  }

  quarantinedSinceMs(id: string): number | undefined {
    return this.#quarantines.get(id);
  }

  /** Refuses every agent of this machine, and routes nothing to it, until an owner has decided. */
  async quarantine(id: string): Promise<void> {
    if (this.#quarantines.has(id)) return;
    const sinceMs = Date.now();
    this.#quarantines.set(id, sinceMs);
    await this.#store.quarantine(id, sinceMs);
  }

  /**
   * Ends a quarantine. The store comes first, because a quarantine that ended only in memory would be back
   * after a restart.
   */
  async release(id: string): Promise<void> {
    await this.#store.release(id);
    this.#quarantines.delete(id);
  }

  /** Removes a machine. */
  async removeMachine(id: string): Promise<void> {
    this.#machines.forget(id);
    this.#quarantines.delete(id);
    this.#seenWrittenAtMs.delete(id);
    await this.#store.removeMachine(id);
  }

  /** Takes one use of a join token for a machine. Returns undefined when none is left. */
  async join(use: JoinUse): Promise<StoredMachine | undefined> {
    const machine = await this.#store.join(use);
    if (machine !== undefined) this.#machines.keep(machine);
    return machine;
  }

  /** Takes back a machine that had joined and is no longer known. Returns undefined if it was removed. */
  async readmit(machine: JoinUse["machine"]): Promise<StoredMachine | undefined> {
    const readmitted = await this.#store.readmit(machine);
    if (readmitted !== undefined) this.#machines.keep(readmitted);
    return readmitted;
  }

  /**
   * Records that a machine's link is up, or was until now. After a crash the store may be a minute behind.
   */
  async seen(machineId: string, agentVersion: string): Promise<void> {
    const machine = this.#machines.get(machineId);
    if (machine === undefined) return;
    const lastSeenMs = Date.now();
    this.#machines.keep({ ...machine, lastSeenMs, agentVersion });
    const nowMs = performance.now();
    const writtenAtMs = this.#seenWrittenAtMs.get(machineId) ?? Number.NEGATIVE_INFINITY;
    const isSame = machine.agentVersion === agentVersion;
    if (isSame && nowMs - writtenAtMs < SEEN_WRITE_INTERVAL_MS) return;
    this.#seenWrittenAtMs.set(machineId, nowMs);
    await this.#store.seen(machineId, lastSeenMs, agentVersion);
  }

  #adopt(statement: string, claims: RosterClaims): void {
    this.#roster = { statement, claims };
    this.#owners = new Map(claims.owners.map((owner) => [thumbprint(owner), owner]));
    this.#revoked = new Set(claims.revoked);
    this.clock.observeOwner(claims.iat);
    // Some of the grants may be signed by a former owner.
    this.#forgetGrants();
  }

  #forgetGrants(): void {
    this.#grantsEra = {};
    this.#grants.clear();
  }
}

/**
 * Refuses an owner's statement that was signed later than now. Machines take its time as a lower bound of
 * their own clock, and would refuse every call until then. `iatS`, `nowS`: seconds since 1970.
 */
export function checkNotFromFuture(what: string, code: ErrorCode, iatS: number, nowS: number): void {
  if (iatS <= nowS + CLOCK_TOLERANCE_S) return;
  throw new CmdopError(
    code,
    `This ${what} is from the future: it says ${new Date(iatS * 1000).toISOString()}, the clock here ${new Date(nowS * 1000).toISOString()}.`,
    { next: "Correct the wrong clock, most likely the owner's, and sign it again." },
  );
}
