const MiB = 1024 * 1024;

/** The bounds of one chain on disk. */
export interface ChainLimits {
  /** A file that has this many bytes is closed and another begun. */
  readonly fileBytes: number;
  /** All files together; beyond it the oldest file goes. Two million calls at some 250 bytes. */
  readonly keptBytes: number;
  /** Set aside for those who come to repair a full disk: some 4,000 records. */
  readonly reserveBytes: number;
}

/** The bounds unless others are given. */
export const CHAIN_LIMITS: ChainLimits = { fileBytes: 8 * MiB, keptBytes: 512 * MiB, reserveBytes: 1 * MiB };

/** How a log is opened. */
export interface ChainLogOptions {
  /** Made with mode 0700 where it is missing. */
  readonly directory: string;
  readonly limits?: Partial<ChainLimits> | undefined;
  /** Told of what was repaired, or could not be done and does not stop the recording. */
  readonly onTrouble?: ((message: string) => void) | undefined;
}

/** Records in the order of the chain. */
export interface ChainBatch {
  /** The seq of the first of them. */
  readonly firstSeq: number;
  /** The hash of the record before the first. */
  readonly previousHash: Uint8Array;
  readonly records: Uint8Array[];
  /** What is written beside each. */
  readonly hashes: Uint8Array[];
}
