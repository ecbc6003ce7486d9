import type { KeyPair, PublicKey } from "@cmdop/proto";

/** The owner's statement of who may grant, and which keys no longer count. */
export interface RosterInfo {
  readonly seq: number;
  /** The public keys that may grant. */
  readonly owners: readonly PublicKey[];
  /** The relays that serve these owners. */
  readonly relays: readonly { readonly id: string; readonly addresses: readonly string[] }[];
  /** Ids of the keys that are revoked. */
  readonly revoked: readonly string[];
  /** In milliseconds since 1970. */
  readonly signedAtMs: number;
}

/** What `change` may change. */
export type RosterContent = Pick<RosterInfo, "owners" | "relays" | "revoked">;

/** Who comes and who goes. */
export interface RotateOwnerOptions {
  /** The public key of the new owner. */
  readonly newOwner: PublicKey;
  /** The public key of the owner that goes. */
  readonly remove: PublicKey;
  /** The owner's key that signs from now on: the client's own unless given. An owner who removes itself must give its successor's. */
  readonly resignWith?: KeyPair | undefined;
}

/** What came of it. */
export interface OwnerRotation {
  /** The roster in force now. */
  readonly roster: RosterInfo;
  /** Ids of the keys whose grants were signed anew. */
  readonly resigned: readonly string[];
}
