import type { KeyId } from "@cmdop/proto";
import { type Log, SILENT_LOG } from "../log.ts";
import type { Store, StoredGrant } from "./store.ts";

/** How often uses are written down, in milliseconds: a crash may forget the last minute of them, and no call waits for a disk. */
const WRITE_INTERVAL_MS = 60_000;

/** When keys were used last. Noted in memory, one entry a key, and written down now and then. */
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

  /** Stored grants with what has been noted since. */
  upToDate(grants: readonly StoredGrant[]): StoredGrant[] {
    return grants.map((grant) => ({
      ...grant,
      lastUsedMs: this.#noted.get(grant.keyId) ?? grant.lastUsedMs,
    }));
  }

  /** Writes down what was noted. */
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
