const MiB = 1024 * 1024;

/** Bounds of one chain on disk. */
export interface ChainLimits {
  /** Size at which a file is closed and another begun, in bytes. */
  readonly fileBytes: number;
  /**
   * Size of all files together, in bytes; beyond it the oldest file is deleted. The default holds two million
   * calls at some 250 bytes.
   */
  readonly keptBytes: number;
  /**
   * Room that is reserved for those who repair a full disk, in bytes. The default holds some 4,000 records.
   */
  readonly reserveBytes: number;
}

/** Default bounds. */
export const CHAIN_LIMITS: ChainLimits = { fileBytes: 8 * MiB, keptBytes: 512 * MiB, reserveBytes: 1 * MiB };

/** Options for opening a log. */
export interface ChainLogOptions {
  /** The chain's directory; made with mode 0700 if it is missing. */
  readonly directory: string;
  readonly limits?: Partial<ChainLimits> | undefined;
  /** Called with each repair, and with each failure that does not stop the recording. */
  readonly onTrouble?: ((message: string) => void) | undefined;
}

/** Consecutive records of a chain. */
export interface ChainBatch {
  /** Seq of the first record. */
  readonly firstSeq: number;
  /** Hash of the record before the first. */
  readonly previousHash: Uint8Array;
  readonly records: Uint8Array[];
  /** The stored hash of each record. */
  readonly hashes: Uint8Array[];
}
