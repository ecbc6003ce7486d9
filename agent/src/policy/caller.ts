import type { KeyId, Scope } from "@cmdop/proto";

/** Who is calling, as the door has established it, and what this one call may touch. */
export interface Caller {
  /** Which door the call came through. */
  readonly door: "relay" | "local";
  /** The id of the calling key; `local` for a caller of the local socket that showed no token. Jobs belong to it. */
  readonly keyId: KeyId | "local";
  /** What the owner calls the key. */
  readonly keyName: string;
  /** What the caller may do here: its grant's scopes less what the machine's policy withholds. */
  readonly scopes: ReadonlySet<Scope>;
  /**
   * Where this call's paths must lie: each list must have a directory that
   * contains the path (one list from the grant, one from the policy, where they
   * have one). Empty means anywhere but the agent's own state.
   */
  readonly roots: readonly (readonly string[])[];
  /** True where the call needs no approval because its job was canceled, or started, before: it may start nothing. */
  readonly startsCanceled?: true;
}
