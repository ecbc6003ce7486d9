import { onAbort } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import { Shares } from "../shares/shares.ts";

/** Methods whose single answer may be as large as a message can be: 4 MiB. */
const LARGE_ANSWER_METHODS: ReadonlySet<string> = new Set(["/cmdop.v1.Files/Read", "/cmdop.v1.Files/List"]);

/**
 * Large answers under way at once. A caller who reads nothing can hold its share of 16 × 4 MiB, three times
 * over as content, message and frame.
 */
const MAX_LARGE_ANSWERS = 32;

/**
 * Limits the large answers that wait in memory for a slow reader. A call beyond its key's share waits until
 * another has ended. The number of waiting calls is limited by the streams that a relay lets a key open.
 */
export class LargeAnswers {
  readonly #places = new Shares({
    capacity: MAX_LARGE_ANSWERS,
    what: "large answers",
    next: "Read the answers that are under way.",
  });

  /** Number of keys that have answers under way, or wait for one. */
  get keys(): number {
    return this.#places.keys;
  }

  /** True if answers of this method are limited. */
  bounds(path: string): boolean {
    return LARGE_ANSWER_METHODS.has(path);
  }

  /** Waits until the call may run. Its place is released when `signal` reports that its stream has ended. */
  async enter(keyId: string, path: string, signal: AbortSignal): Promise<void> {
    if (!this.bounds(path)) return;
    const place = await this.#places.enter(keyId, signal);
    onAbort(signal, () => place[Symbol.dispose]());
    if (signal.aborted) throw new CmdopError("Canceled", "The call ended before its turn came.");
  }
}
