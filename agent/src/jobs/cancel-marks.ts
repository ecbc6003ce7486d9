import type { JobLimits } from "./limits.ts";

/** Cancels that came before their Start, until that Start comes or they expire. */
export class CancelMarks {
  readonly #limits: Pick<JobLimits, "maxCancelMarksPerKey" | "cancelMarkMs">;
  /** By key, then by job id: when the mark expires. Maps keep the order of insertion, so the oldest is first. */
  readonly #expiryOf = new Map<string, Map<string, number>>();
  /** Starts that are on their way, by key and job id, to be told of a Cancel. */
  readonly #watchers = new Map<string, Set<() => void>>();

  constructor(limits: Pick<JobLimits, "maxCancelMarksPerKey" | "cancelMarkMs">) {
    this.#limits = limits;
  }

  leave(keyId: string, jobId: string): void {
    const marks = this.#expiryOf.get(keyId) ?? new Map<string, number>();
    this.#expiryOf.set(keyId, marks);
    marks.delete(jobId);
    marks.set(jobId, performance.now() + this.#limits.cancelMarkMs);
    const [oldest] = marks.keys();
    if (marks.size > this.#limits.maxCancelMarksPerKey && oldest !== undefined) marks.delete(oldest);
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
    const marks = this.#expiryOf.get(keyId);
    const expiresAt = marks?.get(jobId);
    marks?.delete(jobId);
    return expiresAt !== undefined && expiresAt > performance.now();
  }

  /** Forgets what has expired. */
  sweep(): void {
    const now = performance.now();
    for (const [keyId, marks] of this.#expiryOf) {
      for (const [jobId, expiresAt] of marks) {
        if (expiresAt > now) break;
        marks.delete(jobId);
      }
      if (marks.size === 0) this.#expiryOf.delete(keyId);
    }
  }
}

function nameOf(keyId: string, jobId: string): string {
  return `${keyId} ${jobId}`;
}
