import type { KeyId, MachineIdentity, MachineRecord, PublicKey } from "@cmdop/proto";

/** A machine that has joined. */
export interface StoredMachine extends MachineIdentity {
  readonly publicKey: PublicKey;
  /** The newest owner-signed record, empty until there is one beyond the join token. */
  readonly record: string;
  /** The seq of that record; 0 until there is one. */
  readonly recordSeq: number;
  /** Time when a link of it was last up, in milliseconds since 1970; 0 for never. */
  readonly lastSeenMs: number;
  /** The agent's version at its last link. */
  readonly agentVersion: string;
}

/** One use of a join token. */
export interface JoinUse {
  /** The token's id. */
  readonly tokenId: string;
  /** Number of machines that may use it. */
  readonly uses: number;
  readonly machine: Pick<StoredMachine, "id" | "publicKey" | "name" | "labels">;
  /** Names to take in turn if another machine has the first; without them it keeps its name all the same. */
  readonly otherNames?: Iterable<string> | undefined;
}

/** A grant, and this relay's own knowledge of its key. */
export interface StoredGrant {
  readonly keyId: KeyId;
  readonly statement: string;
  /** Time of its last use, in milliseconds since 1970; 0 for never. */
  readonly lastUsedMs: number;
}

/** A roster with the owners who could sign it; its signer may since have left the owners. */
export interface StoredRoster {
  readonly statement: string;
  readonly trustedOwners: readonly PublicKey[];
}

/**
 * A roster that is kept for clients that must follow; `handOver`: it named other owners than the one before
 * it.
 */
export interface PastRoster {
  readonly statement: string;
  readonly handOver: boolean;
}

/**
 * The relay's memory. It holds no secret and no authority: every row is derived from a statement that an
 * owner signed, or takes something away. Another implementation may share it between relays, so every method
 * is asynchronous, and those that decide something do so in one transaction.
 */
export interface Store {
  /** Returns the id of the relay that this store belongs to; undefined before the first start. */
  relayId(): string | undefined;
  /** Sets the id of the relay that this store belongs to. */
  setRelayId(id: string): void;
  machines(): Promise<StoredMachine[]>;
  /** Takes back a machine that had joined and is no longer known. Returns undefined if it was removed. */
  readmit(machine: JoinUse["machine"]): Promise<StoredMachine | undefined>;
  /** Takes one use of a join token; the same machine takes only one. Returns undefined when none is left. */
  join(use: JoinUse): Promise<StoredMachine | undefined>;
  /** Records that a machine's link is up, or was until now. */
  seen(machineId: string, atMs: number, agentVersion: string): Promise<void>;
  /**
   * Keeps a record unless one with the same or a higher seq is kept. Returns the machine as it is then;
   * undefined if there is none.
   */
  putRecord(record: MachineRecord, statement: string): Promise<StoredMachine | undefined>;
  /** Returns the quarantined machines by id, with the start in milliseconds since 1970. */
  quarantines(): Promise<Map<string, number>>;
  /** Quarantines a machine from then on. */
  quarantine(machineId: string, sinceMs: number): Promise<void>;
  /** Ends the quarantine of a machine. */
  release(machineId: string): Promise<void>;
  /**
   * Removes a machine, and remembers the removal: it comes back only by a new join token. Tokens that it has
   * used stay used.
   */
  removeMachine(machineId: string): Promise<void>;
  /** Returns the signed grant of a key. */
  grant(keyId: KeyId): Promise<string | undefined>;
  /** Returns the grant of one key, or none. */
  storedGrant(keyId: KeyId): Promise<StoredGrant[]>;
  /** Returns the grants after a key id, sorted by key id. */
  grants(after: KeyId, limit: number): Promise<StoredGrant[]>;
  /**
   * Keeps a grant unless the key has one, or has another than the one to replace. Returns the one that is
   * kept.
   */
  putGrant(keyId: KeyId, grant: string, replaces?: string): Promise<string>;
  /** Returns the keys that this relay alone refuses. */
  blockedKeys(): Promise<KeyId[]>;
  /** Refuses keys from now on. */
  block(keyIds: readonly KeyId[]): Promise<void>;
  /** Records the times of the keys' last uses, in milliseconds since 1970. */
  used(uses: ReadonlyMap<KeyId, number>): Promise<void>;
  roster(): Promise<StoredRoster | undefined>;
  /** Returns the rosters for clients that must follow, the oldest first. */
  pastRosters(): Promise<PastRoster[]>;
  /**
   * Keeps a roster, and replaces the past rosters with `past`, unless one with the same or a higher seq is
   * kept. Returns the one that is kept.
   */
  putRoster(seq: number, roster: StoredRoster, past: readonly PastRoster[]): Promise<StoredRoster>;
  close(): Promise<void>;
}
