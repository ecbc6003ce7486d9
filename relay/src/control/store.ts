import type { KeyId, MachineIdentity, PublicKey } from "@cmdop/proto";

/** A machine that has joined. */
export interface StoredMachine extends MachineIdentity {
  readonly publicKey: PublicKey;
  /** The newest owner-signed record, empty until there is one beyond the join token. */
  readonly record: string;
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

/** A roster with those who could sign it: its signer may since have left the owners. */
export interface StoredRoster {
  readonly statement: string;
  readonly trustedOwners: readonly PublicKey[];
}

/**
 * What a relay remembers. It holds no secret and no authority: every row is
 * derived from a statement that an owner signed. Another implementation may
 * share it between relays, so every method is asynchronous, and those that
 * decide something decide it in one transaction.
 */
export interface Store {
  machines(): Promise<StoredMachine[]>;
  /** Takes one use of a join token; the same machine again takes none. Undefined when none is left. */
  join(use: JoinUse): Promise<StoredMachine | undefined>;
  /** Notes that a machine's link is up, or was until now. */
  seen(machineId: string, atMs: number, agentVersion: string): Promise<void>;
  /** The grant of a key, as it was put. */
  grant(keyId: KeyId): Promise<string | undefined>;
  /** Keeps a grant unless the key has one; answers with the one that is kept. */
  putGrant(keyId: KeyId, grant: string): Promise<string>;
  roster(): Promise<StoredRoster | undefined>;
  /** Keeps a roster unless one with the same or a higher seq is kept; answers with the one that is kept. */
  putRoster(seq: number, roster: StoredRoster): Promise<StoredRoster>;
  close(): Promise<void>;
}
