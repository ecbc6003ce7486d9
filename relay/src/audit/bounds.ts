import type { ChainLimits, ShareBounds } from "@cmdop/proto";

const MiB = 1024 * 1024;

/** Bounds of the relay's audit. */
export interface AuditBounds {
  /** Limits of the relay's own chain on disk that differ from the defaults. */
  readonly relayChain: Partial<ChainLimits>;
  /** Limits of the copy of one machine's chain that differ from the defaults. */
  readonly machineChain: Partial<ChainLimits>;
  /**
   * Most chains of one machine. It begins another when its files were lost or damaged; more would let it fill
   * the disk.
   */
  readonly chainsPerMachine: number;
  /**
   * Most pieces of evidence of one machine: batches that did not follow, each at most the size of a batch.
   */
  readonly apartPerMachine: number;
  /**
   * Shares of the relay's own chain for each key, and for all strangers together, that differ from the
   * defaults.
   */
  readonly shares: Partial<ShareBounds>;
  /**
   * Time in which calls of a key that has filled its share are counted into one record, in milliseconds;
   * default five minutes.
   */
  readonly countWindowMs: number | undefined;
  /** Time in which like refusals are counted into one record, in milliseconds. */
  readonly refusalWindowMs: number;
  /** Most different refusals in a window that are recorded for one key, or for one address of strangers. */
  readonly refusalsEach: number;
  /**
   * The same for all keys together, and for all strangers: two records of about 300 bytes each. Beyond it,
   * only the error codes are counted.
   */
  readonly refusalsOfKeys: number;
  readonly refusalsOfStrangers: number;
  /** Most streams of the Audit service at once, of all callers and of one key. Each may hold MERGE_BYTES. */
  readonly readers: number;
  readonly readersPerKey: number;
}

/** Small files make it quick to reach a place in the middle. Machines get no reserve on the relay's disk. */
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
