import type { AnyAuditRecord } from "@cmdop/proto";
import { z } from "zod";

/** Which records; absent conditions match everything. */
export interface AuditQueryOptions {
  /** Id or name of a machine. */
  readonly machine?: string | undefined;
  /** Id or name of the calling key; `local` for callers of a machine's own socket. Names need the scope admin. */
  readonly key?: string | undefined;
  /** Records made at this time or later, in milliseconds since 1970. */
  readonly sinceMs?: number | undefined;
  /** Records made before this time, in milliseconds since 1970. */
  readonly untilMs?: number | undefined;
  /** Goes on with records as they come, over lost connections too. */
  readonly follow?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One record of a chain. */
export interface AuditEntry {
  /** The chain's id. */
  readonly chain: string;
  /** The id of the machine that made it; null for the relay's own. */
  readonly machineId: string | null;
  /** Its number in the chain, from 1. */
  readonly seq: number;
  /** What it says; null where it is no record that this version knows. */
  readonly record: AnyAuditRecord | null;
  /** The record as it was hashed, as text. It comes from afar: make it visible before it is shown. */
  readonly raw: string;
}

const headSchema = z.strictObject({
  /** The chain's id. */
  chain: z.string().min(1).max(64),
  /** The id of the machine that made it; null for the relay's own. */
  machineId: z.string().max(64).nullable(),
  /** The number of its last record. */
  seq: z.int().min(0),
  /** The hash of that record, base64url. */
  hash: z.string().length(43),
  /** The number of the oldest record that was kept then; absent from heads of before this was noted. */
  first: z.int().min(0).optional(),
  /** When that was, in milliseconds since 1970. */
  atMs: z.number().min(0).optional(),
});

/** Chains whose ends one file of heads holds: more machines than one relay serves. */
const MAX_HEADS = 100_000;

/** Where chains ended when they were verified: kept elsewhere, they show later what was cut off or written anew. */
export const auditHeadsSchema = z.array(headSchema).max(MAX_HEADS);
export type AuditHeads = z.infer<typeof auditHeadsSchema>;

/** What to verify, and against what. */
export interface AuditVerifyOptions {
  /** What an earlier verification returned and was kept where the relay can't reach. */
  readonly heads?: AuditHeads | undefined;
  /** Only this machine's chains, by id or name. */
  readonly machine?: string | undefined;
  /** Whether machines that are online are asked where their chains end; true unless given. */
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
  /** Whether the machine itself has confirmed its end just now; null where it was not asked. */
  readonly confirmed: boolean | null;
  /** What is wrong, in words; empty when nothing is. */
  readonly problems: readonly string[];
  /** Records that were kept when the heads were, and had been verified, and are kept no longer. Where all holds it is 0, or the chain has moved on. */
  readonly gone: number;
  /** What is no proof of anything wrong, and yet somebody should know: that records are gone. In words; empty when there is nothing. */
  readonly warnings: readonly string[];
}

/** What a verification found. */
export interface AuditReport {
  readonly ok: boolean;
  readonly chains: readonly AuditChainReport[];
  /** What is no proof of anything and yet worth a question: machines without a chain, or with more than one. */
  readonly notes: readonly string[];
  /** To be kept elsewhere for the next time. A chain with problems keeps the head that it was verified against. */
  readonly heads: AuditHeads;
}
