import type { MachineSelector, Scope } from "@cmdop/proto";

/**
 * The rights of a new key. At least one of `machines` and `labels` is needed; the key reaches every machine
 * that matches any of them.
 */
export interface CreateKeyOptions {
  /** The key's name for people. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Machines that the key reaches: ids, names, names with `*`, or selectors. */
  readonly machines?: readonly (string | MachineSelector)[] | undefined;
  /** Labels that a machine must all have to be reached, now or later: `{team: "payments"}`. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Directories that the key's files scopes are limited to; default everywhere. */
  readonly paths?: readonly string[] | undefined;
  /** The key's lifetime in seconds; default 90 days. */
  readonly expiresInS?: number | undefined;
  /** Fate of the key's jobs when it ends or is revoked: they `end` (default) or `live` on. */
  readonly jobs?: "end" | "live" | undefined;
}

/** A new key, with the only copy of its secret. */
export interface CreatedKey {
  readonly apiKey: string;
  readonly keyId: string;
  /** Time of its end, in milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/**
 * The state of a key: `blocked` means by this relay only, `orphaned` that the owner who granted it no longer
 * is one.
 */
export type KeyState = "active" | "expired" | "revoked" | "blocked" | "orphaned";

/** A key, as its grant and its relay describe it. */
export interface KeyInfo {
  /** The thumbprint of the key's public half. */
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly machines: readonly MachineSelector[];
  /** Directories that the key's files scopes are limited to; absent means everywhere. */
  readonly paths?: readonly string[];
  readonly jobs: "end" | "live";
  /** In milliseconds since 1970. */
  readonly createdAtMs: number;
  /** In milliseconds since 1970. */
  readonly expiresAtMs: number;
  /**
   * Time of its last call through this relay, in milliseconds since 1970; null if the relay remembers none.
   */
  readonly lastUsedMs: number | null;
  readonly state: KeyState;
  /** The owner-signed grant itself, which is no secret. */
  readonly grant: string;
}

/**
 * The way a key was stopped: revoked by a new roster, for every relay and machine, or blocked at this relay
 * only.
 */
export interface StoppedKey {
  readonly keyId: string;
  readonly how: "revoked" | "blocked";
}

/** Options of `rotate`. */
export interface RotateKeyOptions {
  /** True leaves the old key in force until its own end. */
  readonly keepOld?: boolean | undefined;
}
