import type { KeyId } from "@cmdop/proto";
import { type Log, SILENT_LOG } from "../log.ts";
import type { Store, StoredGrant } from "./store.ts";

/**
 * Interval at which uses are written to the store, in milliseconds. A crash may lose the last minute of them,
 * and no call waits for the disk.
 */
const WRITE_INTERVAL_MS = 60_000;

/**
 * The times of the keys' last uses. They are kept in memory, one entry a key, and written to the store at
 * intervals.
 */
export class KeyUses {
  readonly #store: Pick<Store, "used">;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #noted = new Map<KeyId, number>();

  constructor(store: Pick<Store, "used">, log: Log = SILENT_LOG) {
    this.#store = store;
    this.#log = log;
    this.#timer = setInterval(() => this.#write(), WRITE_INTERVAL_MS);
    this.#timer.unref();
  }

  note(keyId: KeyId): void {
    this.#noted.set(keyId, Date.now());
  }

  /** Returns stored grants, updated with the uses noted since. */
  upToDate(grants: readonly StoredGrant[]): StoredGrant[] {
    return grants.map((grant) => ({
      ...grant,
      lastUsedMs: this.#noted.get(grant.keyId) ?? grant.lastUsedMs,
    }));
  }

  /** Writes the noted uses to the store. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#write();
  }

  async #write(): Promise<void> {
    const noted = this.#noted;
    if (noted.size === 0) return;
    try {
      await this.#store.used(noted);
      for (const [keyId, atMs] of noted) if (this.#noted.get(keyId) === atMs) this.#noted.delete(keyId);
    } catch (thrown) {
      this.#log.error("uses of keys not written", { message: String(thrown) });
    }
  }
}
