import type { MachineSelector, Scope } from "@cmdop/proto";

/** What a new key may do, and where: `machines` or `labels`, at least one of them. A machine that any of them names is reached. */
export interface CreateKeyOptions {
  /** What people call the key. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Machines that it reaches: ids, names, names with `*`, or selectors. */
  readonly machines?: readonly (string | MachineSelector)[] | undefined;
  /** Reaches the machines that have all of these labels, now or later: `{team: "payments"}`. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Directories that its files scopes are bound to; everywhere unless given. */
  readonly paths?: readonly string[] | undefined;
  /** Life of the key in seconds; 90 days unless given. */
  readonly expiresInS?: number | undefined;
  /** What becomes of jobs that it started when the key ends or is revoked: they `end` unless they are to `live`. */
  readonly jobs?: "end" | "live" | undefined;
}

/** A new key. The only copy of the secret. */
export interface CreatedKey {
  readonly apiKey: string;
  readonly keyId: string;
  /** When it ends, in milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** What can be said of a key: `blocked` by this relay alone, `orphaned` when the owner who granted it is none any more. */
export type KeyState = "active" | "expired" | "revoked" | "blocked" | "orphaned";

/** A key, as its grant and its relay describe it. */
export interface KeyInfo {
  /** The thumbprint of the key's public half. */
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly machines: readonly MachineSelector[];
  /** Directories that its files scopes are bound to; absent means everywhere. */
  readonly paths?: readonly string[];
  readonly jobs: "end" | "live";
  /** In milliseconds since 1970. */
  readonly createdAtMs: number;
  /** In milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** When it last called through this relay, in milliseconds since 1970; null for never, as far as the relay remembers. */
  readonly lastUsedMs: number | null;
  readonly state: KeyState;
  /** The owner-signed grant itself; no secret. */
  readonly grant: string;
}

/** How a key was stopped: by a new roster, for every relay and machine; or blocked at this relay alone. */
export interface StoppedKey {
  readonly keyId: string;
  readonly how: "revoked" | "blocked";
}

/** How `rotate` treats the old key. */
export interface RotateKeyOptions {
  /** True leaves the old key in force until it ends by itself. */
  readonly keepOld?: boolean | undefined;
}
