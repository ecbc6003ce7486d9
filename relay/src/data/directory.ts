import type { Grant, KeyId, MachineIdentity, PublicKey } from "@cmdop/proto";

/** A grant as the owner signed it, and what it says. */
export interface VerifiedGrant {
  readonly statement: string;
  readonly claims: Grant;
}

/** What the front door must know to decide on a call; the control side knows it. */
export interface Directory {
  /** This relay's id: what tokens must be for. */
  readonly relayId: string;
  /** Seconds since 1970. */
  nowS(): number;
  /** The same by a clock that has not just jumped: what ends something that is open. */
  steadyS(): number;
  /** The seq of the roster in force, 0 before the first: when it has changed, what was found out before may not hold any more. */
  rosterSeq(): number;
  isRevoked(keyId: KeyId): boolean;
  /** The public half of an owner's key; undefined for everybody else. */
  ownerKey(keyId: KeyId): PublicKey | undefined;
  /** The grant of a key, verified; undefined when there is none. Throws GrantRefused when its signer is no owner any more. */
  grantOf(keyId: KeyId): Promise<VerifiedGrant | undefined>;
  /** Takes note that a key with a grant has called, proven. */
  used(keyId: KeyId): void;
  /** The machines with this id, or with this name. */
  machinesCalled(idOrName: string): readonly MachineIdentity[];
  /** Since when a machine is quarantined, in milliseconds since 1970; undefined where it is not. */
  quarantinedSinceMs(machineId: string): number | undefined;
  /** All machines, sorted by name. */
  machines(): readonly MachineIdentity[];
}
