import type { AnyAuditRecord } from "@cmdop/proto";
import { z } from "zod";

/** Conditions on records; an absent one matches everything. */
export interface AuditQueryOptions {
  /** Id or name of a machine. */
  readonly machine?: string | undefined;
  /**
   * Id or name of the calling key; `local` for callers of a machine's own socket. Names need the scope
   * `admin`.
   */
  readonly key?: string | undefined;
  /** Records made at this time or later, in milliseconds since 1970. */
  readonly sinceMs?: number | undefined;
  /** Records made before this time, in milliseconds since 1970. */
  readonly untilMs?: number | undefined;
  /** True continues with new records as they come, across lost connections. */
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One record of a chain. */
export interface AuditEntry {
  /** The chain's id. */
  readonly chain: string;
  /** The id of the machine that made it; null for the relay's own. */
  readonly machineId: string | null;
  /** The record's number in the chain, from 1. */
  readonly seq: number;
  /** The parsed record; null if this version does not know its kind. */
  readonly record: AnyAuditRecord | null;
  /**
   * The record's text, as it was hashed. It comes from another machine: make it visible before you show it.
   */
  readonly raw: string;
}

const headSchema = z.strictObject({
  /** The chain's id. */
  chain: z.string().min(1).max(64),
  /** The id of the machine that made it; null for the relay's own. */
  machineId: z.string().max(64).nullable(),
  /** The number of the chain's last record. */
  seq: z.int().min(0),
  /** The hash of that record, base64url. */
  hash: z.string().length(43),
  /** The number of the oldest record at that time; absent in heads from versions before this field. */
  first: z.int().min(0).optional(),
  /** Time of the verification, in milliseconds since 1970. */
  atMs: z.number().min(0).optional(),
});

/** Most chains in one file of heads: more machines than one relay serves. */
const MAX_HEADS = 100_000;

/**
 * The ends of chains when they were verified. Kept elsewhere, they later reveal records that were cut off or
 * rewritten.
 */
export const auditHeadsSchema = z.array(headSchema).max(MAX_HEADS);
export type AuditHeads = z.infer<typeof auditHeadsSchema>;

/** Options of a verification. */
export interface AuditVerifyOptions {
  /** The heads that an earlier verification returned, kept out of the relay's reach. */
  readonly heads?: AuditHeads | undefined;
  /** Only this machine's chains, by id or name. */
  readonly machine?: string | undefined;
  /** True (default) asks the machines that are online for the ends of their chains. */
  readonly askMachines?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One chain that was verified. */
export interface AuditChainReport {
  /** The chain's id. */
  readonly chain: string;
  /** The id of the machine that made it; null for the relay's own. */
  readonly machineId: string | null;
  readonly machineName?: string;
  /** The number of the oldest record that is kept; 0 for a chain without any. */
  readonly first: number;
  /** The number of the last; 0 for none. */
  readonly last: number;
  /** The hash of the last, base64url. */
  readonly hash: string;
  /** True if the machine has just confirmed the end of its chain; null if it was not asked. */
  readonly confirmed: boolean | null;
  /** The problems, in words; empty if there are none. */
  readonly problems: readonly string[];
  /**
   * Number of verified records that the relay kept at the time of the given head and no longer keeps. It is 0
   * if all are there.
   */
  readonly gone: number;
  /**
   * Hints, in words, that prove no tampering but should be known: that records are gone. Empty if there are
   * none.
   */
  readonly warnings: readonly string[];
}

/** The result of a verification. */
export interface AuditReport {
  readonly ok: boolean;
  readonly chains: readonly AuditChainReport[];
  /** Hints that prove nothing but need an explanation: machines without a chain, or with more than one. */
  readonly notes: readonly string[];
  /**
   * The heads to keep elsewhere for the next verification. A chain with problems keeps the head that it was
   * verified against.
   */
  readonly heads: AuditHeads;
}
