import type { ChainLimits, ShareBounds } from "@cmdop/proto";

const MiB = 1024 * 1024;

/** How much the relay's audit keeps. */
export interface AuditBounds {
  /** The relay's own chain on disk, where it differs from the named limits. */
  readonly relayChain: Partial<ChainLimits>;
  /** The copy of one chain of a machine. */
  readonly machineChain: Partial<ChainLimits>;
  /** Chains of one machine: it begins another when its files were lost or damaged. More would let it fill the disk. */
  readonly chainsPerMachine: number;
  /** Pieces of evidence kept of one machine: what did not follow, each at most a batch. */
  readonly apartPerMachine: number;
  /** How much of the relay's own chain each key, and all strangers together, may fill, where it differs from the named limits. */
  readonly shares: Partial<ShareBounds>;
  /** Time in which calls of a key that has filled its share are counted into one record, in milliseconds; five minutes unless given. */
  readonly countWindowMs: number | undefined;
  /** Time in which like refusals are counted into one record, in milliseconds. */
  readonly refusalWindowMs: number;
  /** Different refusals that one key, or one address of strangers, can have written down in a window. */
  readonly refusalsEach: number;
  /** The same of all keys together, and of all strangers: two records of some 300 bytes each. Beyond it only their codes are counted. */
  readonly refusalsOfKeys: number;
  readonly refusalsOfStrangers: number;
  /** Streams of the Audit service at once, of all callers and of one key: each may hold MERGE_BYTES. */
  readonly readers: number;
  readonly readersPerKey: number;
}

/** Small files make short ways to a place in the middle; the relay lends machines no reserve. */
export const DEFAULT_AUDIT_BOUNDS: AuditBounds = {
  relayChain: {},
  machineChain: { fileBytes: 1 * MiB, keptBytes: 64 * MiB, reserveBytes: 0 },
  shares: {},
  countWindowMs: undefined,
  chainsPerMachine: 8,
  apartPerMachine: 8,
  refusalWindowMs: 60_000,
  refusalsEach: 16,
  refusalsOfKeys: 512,
  refusalsOfStrangers: 128,
  readers: 64,
  readersPerKey: 8,
};
