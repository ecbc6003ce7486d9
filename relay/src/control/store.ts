import type { KeyId, MachineIdentity, MachineRecord, PublicKey } from "@cmdop/proto";

/** A machine that has joined. */
export interface StoredMachine extends MachineIdentity {
  readonly publicKey: PublicKey;
  /** The newest owner-signed record, empty until there is one beyond the join token. */
  readonly record: string;
  /** The seq of that record; 0 until there is one. */
  readonly recordSeq: number;
  /** When a link of it was last seen up, in milliseconds since 1970; 0 for never. */
  readonly lastSeenMs: number;
  /** The agent's version at its last link. */
  readonly agentVersion: string;
}

/** One use of a join token. */
export interface JoinUse {
  /** The token's name. */
  readonly tokenId: string;
  /** How many machines may use it. */
  readonly uses: number;
  readonly machine: Pick<StoredMachine, "id" | "publicKey" | "name" | "labels">;
}

/** A grant, and what this relay alone knows of its key. */
export interface StoredGrant {
  readonly keyId: KeyId;
  readonly statement: string;
  /** In milliseconds since 1970; 0 for never. */
  readonly lastUsedMs: number;
}

/** A roster with those who could sign it: its signer may since have left the owners. */
export interface StoredRoster {
  readonly statement: string;
  readonly trustedOwners: readonly PublicKey[];
}

/** A roster that is kept for those who have to follow; `handOver`: it named other owners than the one before it. */
export interface PastRoster {
  readonly statement: string;
  readonly handOver: boolean;
}

/**
 * What a relay remembers. It holds no secret and no authority: every row is
 * derived from a statement that an owner signed, or takes something away.
 * Another implementation may share it between relays, so every method is
 * asynchronous, and those that decide something decide it in one transaction.
 */
export interface Store {
  /** The id of the relay whose store this is; undefined before the first start. */
  relayId(): string | undefined;
  /** Notes whose store this is. */
  setRelayId(id: string): void;
  machines(): Promise<StoredMachine[]>;
  /** Takes a machine in that has joined before and is not known any more. Undefined where it was removed. */
  readmit(machine: JoinUse["machine"]): Promise<StoredMachine | undefined>;
  /** Takes one use of a join token; the same machine again takes none. Undefined when none is left. */
  join(use: JoinUse): Promise<StoredMachine | undefined>;
  /** Notes that a machine's link is up, or was until now. */
  seen(machineId: string, atMs: number, agentVersion: string): Promise<void>;
  /** Keeps a record unless one with the same or a higher seq is kept; answers with the machine as it is then, undefined where there is none. */
  putRecord(record: MachineRecord, statement: string): Promise<StoredMachine | undefined>;
  /** The machines that are quarantined, by id, and since when, in milliseconds since 1970. */
  quarantines(): Promise<Map<string, number>>;
  /** Quarantines a machine from then on. */
  quarantine(machineId: string, sinceMs: number): Promise<void>;
  /** Ends the quarantine of a machine. */
  release(machineId: string): Promise<void>;
  /** Forgets a machine, but that it was removed: it comes back by a new join token only. The ones that it has used stay used. */
  removeMachine(machineId: string): Promise<void>;
  /** The grant of a key, as it was put. */
  grant(keyId: KeyId): Promise<string | undefined>;
  /** The grant of one key, or none. */
  storedGrant(keyId: KeyId): Promise<StoredGrant[]>;
  /** Grants behind a key id, sorted by key id. */
  grants(after: KeyId, limit: number): Promise<StoredGrant[]>;
  /** Keeps a grant unless the key has one, or has another than it is to replace; answers with the one that is kept. */
  putGrant(keyId: KeyId, grant: string, replaces?: string): Promise<string>;
  /** The keys that this relay alone refuses. */
  blockedKeys(): Promise<KeyId[]>;
  /** Refuses keys from now on. */
  block(keyIds: readonly KeyId[]): Promise<void>;
  /** Notes when keys were used last, in milliseconds since 1970. */
  used(uses: ReadonlyMap<KeyId, number>): Promise<void>;
  roster(): Promise<StoredRoster | undefined>;
  /** Rosters for those who have to follow, the oldest first. */
  pastRosters(): Promise<PastRoster[]>;
  /**
   * Keeps a roster, and `past` in place of the past rosters, unless one with the
   * same or a higher seq is kept; answers with the one that is kept.
   */
  putRoster(seq: number, roster: StoredRoster, past: readonly PastRoster[]): Promise<StoredRoster>;
  close(): Promise<void>;
}
