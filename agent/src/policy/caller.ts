import type { KeyId, Scope } from "@cmdop/proto";

/** The caller, as the door has established it, and the limits of this one call. */
export interface Caller {
  /** The door through which the call came. */
  readonly door: "relay" | "local";
  /**
   * Id of the calling key, to which jobs belong; `local` for a caller of the local socket without a token.
   */
  readonly keyId: KeyId | "local";
  /** The name that the owner gave the key. */
  readonly keyName: string;
  /**
   * Scopes that the caller has here: those of its grant without those that the machine's policy withholds.
   */
  readonly scopes: ReadonlySet<Scope>;
  /**
   * Limits on this call's paths: each list must have a directory that contains the path (one list comes from
   * the grant and one from the policy, if they have one). Empty means anywhere but the agent's own state.
   */
  readonly roots: readonly (readonly string[])[];
  /**
   * True if the call needs no approval because its job was started or canceled before; it must start nothing.
   */
  readonly startsCanceled?: true;
}
