import { BoundedMap } from "@cmdop/kit";

const KiB = 1024;
const MiB = 1024 * KiB;

const MS_PER_HOUR = 60 * 60 * 1_000;

/** How much of a chain one key's calls may fill with records of their own. */
export interface ShareBounds {
  /** Bytes at once, and those that come back an hour, of all calls of a key: it takes one key five days to push everything else out of a relay's copy. */
  readonly keyBytes: number;
  readonly keyBytesPerHour: number;
  /** The same of its calls of one method: whoever makes many of one kind does not hide one of another among them. */
  readonly methodBytes: number;
  readonly methodBytesPerHour: number;
  /** Shares that are remembered: 150 bytes each. Beyond it the one that was used least recently begins anew. */
  readonly remembered: number;
}

export const DEFAULT_SHARE_BOUNDS: ShareBounds = {
  keyBytes: 4 * MiB,
  keyBytesPerHour: 512 * KiB,
  methodBytes: 1 * MiB,
  methodBytesPerHour: 128 * KiB,
  remembered: 10_000,
};

/** What is left of a share. */
interface Share {
  bytes: number;
  atMs: number;
}

/**
 * The shares that keys have of an audit chain. A chain is bounded, and loses its
 * beginning where more comes than is kept: whoever writes more than its share is
 * recorded more briefly, so that nobody can push out what others have done.
 */
export class RecordShares {
  readonly #bounds: ShareBounds;
  readonly #nowMs: () => number;
  readonly #shares: BoundedMap<string, Share>;

  /** `nowMs`: a clock that never goes back, in milliseconds. */
  constructor(bounds: Partial<ShareBounds> = {}, nowMs: () => number = () => performance.now()) {
    this.#bounds = { ...DEFAULT_SHARE_BOUNDS, ...bounds };
    this.#shares = new BoundedMap(this.#bounds.remembered);
    this.#nowMs = nowMs;
  }

  /** Takes the bytes of a record out of a key's share. False where not so much is left, and then nothing was taken. */
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
