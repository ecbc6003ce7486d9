import { BoundedMap } from "@cmdop/kit";

const KiB = 1024;
const MiB = 1024 * KiB;

const MS_PER_HOUR = 60 * 60 * 1_000;

/** Bounds of a key's share of a chain. */
export interface ShareBounds {
  /**
   * Bytes for all calls of a key at once, and bytes that it regains each hour. One key needs five days to
   * push everything else out of a relay's copy.
   */
  readonly keyBytes: number;
  readonly keyBytesPerHour: number;
  /** The same for its calls of one method, so that many calls of one kind do not hide one of another kind. */
  readonly methodBytes: number;
  readonly methodBytesPerHour: number;
  /** Shares that are remembered, 150 bytes each. Beyond it, the least recently used one starts anew. */
  readonly remembered: number;
}

export const DEFAULT_SHARE_BOUNDS: ShareBounds = {
  keyBytes: 4 * MiB,
  keyBytesPerHour: 512 * KiB,
  methodBytes: 1 * MiB,
  methodBytesPerHour: 128 * KiB,
  remembered: 10_000,
};

/** The rest of a share. */
interface Share {
  bytes: number;
  atMs: number;
}

/**
 * The shares of keys in an audit chain. A chain is bounded and loses its oldest records. A key that writes
 * more than its share is recorded more briefly, so that nobody can push out the records of others.
 */
export class RecordShares {
  readonly #bounds: ShareBounds;
  readonly #nowMs: () => number;
  readonly #shares: BoundedMap<string, Share>;

  /** `nowMs`: a monotonic clock, in milliseconds. */
  constructor(bounds: Partial<ShareBounds> = {}, nowMs: () => number = () => performance.now()) {
    this.#bounds = { ...DEFAULT_SHARE_BOUNDS, ...bounds };
    this.#shares = new BoundedMap(this.#bounds.remembered);
    this.#nowMs = nowMs;
  }

  /**
   * Takes the bytes of a record from a key's share. Returns false, and takes nothing, if not enough is left.
   */
  take(key: string, method: string, bytes: number): boolean {
    const { keyBytes, keyBytesPerHour, methodBytes, methodBytesPerHour } = this.#bounds;
    const all = this.#share(key, keyBytes, keyBytesPerHour);
    const alike = this.#share(`${key} ${method}`, methodBytes, methodBytesPerHour);
    if (all.bytes < bytes || alike.bytes < bytes) return false;
    all.bytes -= bytes;
    alike.bytes -= bytes;
    return true;
  }

  #share(name: string, mostBytes: number, bytesPerHour: number): Share {
    const nowMs = this.#nowMs();
    const share = this.#shares.get(name) ?? { bytes: mostBytes, atMs: nowMs };
    share.bytes = Math.min(mostBytes, share.bytes + ((nowMs - share.atMs) / MS_PER_HOUR) * bytesPerHour);
    share.atMs = nowMs;
    this.#shares.set(name, share);
    return share;
  }
}
