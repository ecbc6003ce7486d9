import type { KeyPair, PublicKey } from "@cmdop/proto";

/** The owner's statement of the keys that may grant and the keys that are revoked. */
export interface RosterInfo {
  readonly seq: number;
  /** The public keys of the owners, which may grant. */
  readonly owners: readonly PublicKey[];
  /** The relays that serve these owners. */
  readonly relays: readonly { readonly id: string; readonly addresses: readonly string[] }[];
  /** Ids of the keys that are revoked. */
  readonly revoked: readonly string[];
  /** In milliseconds since 1970. */
  readonly signedAtMs: number;
}

/** The fields that `change` may change. */
export type RosterContent = Pick<RosterInfo, "owners" | "relays" | "revoked">;

/** Options of an owner rotation. */
export interface RotateOwnerOptions {
  /** The public key of the new owner. */
  readonly newOwner: PublicKey;
  /** The public key of the owner to remove. */
  readonly remove: PublicKey;
  /**
   * The owner's key that signs from now on; default the client's own. An owner who removes itself must give
   * its successor's.
   */
  readonly resignWith?: KeyPair | undefined;
}

/** The result of an owner rotation. */
export interface OwnerRotation {
  /** The roster in force now. */
  readonly roster: RosterInfo;
  /** Ids of the keys whose grants were signed again. */
  readonly resigned: readonly string[];
}
