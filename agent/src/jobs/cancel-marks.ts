import { Holdings } from "../shares/holdings.ts";
import type { JobLimits } from "./limits.ts";

type Limits = Pick<JobLimits, "maxCancelMarks" | "cancelMarkMs">;

/** Cancels that came before their Start, until that Start comes or they expire. */
export class CancelMarks {
  readonly #limits: Limits;
  /** By key, then by job id: when the mark expires. Maps keep the order of insertion, so the oldest is first. */
  readonly #expiryOf = new Map<string, Map<string, number>>();
  readonly #held = new Holdings();
  /** Starts that are on their way, by key and job id, to be told of a Cancel. */
  readonly #watchers = new Map<string, Set<() => void>>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  leave(keyId: string, jobId: string): void {
    const marks = this.#expiryOf.get(keyId) ?? new Map<string, number>();
    this.#expiryOf.set(keyId, marks);
    this.#remove(keyId, jobId);
    marks.set(jobId, performance.now() + this.#limits.cancelMarkMs);
    this.#held.count(keyId, 1);
    for (const most of this.#held.beyond(this.#limits.maxCancelMarks).slice(0, 1)) {
      const [oldest] = this.#expiryOf.get(most)?.keys() ?? [];
      if (oldest !== undefined) this.#remove(most, oldest);
    }
    for (const tell of [...(this.#watchers.get(nameOf(keyId, jobId)) ?? [])]) tell();
  }

  /** Calls the listener when there is a mark, which may be now; the returned function ends that. */
  watch(keyId: string, jobId: string, listener: () => void): () => void {
    const name = nameOf(keyId, jobId);
    const listeners = this.#watchers.get(name) ?? new Set();
    this.#watchers.set(name, listeners.add(listener));
    if ((this.#expiryOf.get(keyId)?.get(jobId) ?? 0) > performance.now()) listener();
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#watchers.delete(name);
    };
  }

  /** Whether there is a mark; it is taken away. */
  take(keyId: string, jobId: string): boolean {
    const expiresAt = this.#expiryOf.get(keyId)?.get(jobId);
    this.#remove(keyId, jobId);
    return expiresAt !== undefined && expiresAt > performance.now();
  }

  /** Forgets what has expired. */
  sweep(): void {
    const now = performance.now();
    for (const [keyId, marks] of this.#expiryOf) {
      for (const [jobId, expiresAt] of marks) {
        if (expiresAt > now) break;
        this.#remove(keyId, jobId);
      }
      if (marks.size === 0) this.#expiryOf.delete(keyId);
    }
  }

  #remove(keyId: string, jobId: string): void {
    if (this.#expiryOf.get(keyId)?.delete(jobId)) this.#held.count(keyId, -1);
  }
}

function nameOf(keyId: string, jobId: string): string {
  return `${keyId} ${jobId}`;
}
