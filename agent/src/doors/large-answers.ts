import { onAbort } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import { Shares } from "../shares/shares.ts";

/** Methods whose single answer may be as large as a message can be: 4 MiB. */
const LARGE_ANSWER_METHODS: ReadonlySet<string> = new Set(["/cmdop.v1.Files/Read", "/cmdop.v1.Files/List"]);

/**
 * Such answers that are under way at once: a caller who reads nothing can hold
 * its share of 16 × 4 MiB, three times over as content, message and frame.
 */
const MAX_LARGE_ANSWERS = 32;

/**
 * Bounds the large answers that wait in memory for a slow reader. A call beyond
 * its key's share waits until another is over. How many can wait is bounded by
 * the streams that a relay lets a key open.
 */
export class LargeAnswers {
  readonly #places = new Shares({
    capacity: MAX_LARGE_ANSWERS,
    what: "large answers",
    next: "Read the answers that are under way.",
  });

  /** Keys that have answers under way, or wait for one. */
  get keys(): number {
    return this.#places.keys;
  }

  /** Whether answers of this method are bounded. */
  bounds(path: string): boolean {
    return LARGE_ANSWER_METHODS.has(path);
  }

  /** Resolves when the call may run; its place is given back when `signal` says that its stream is over. */
  async enter(keyId: string, path: string, signal: AbortSignal): Promise<void> {
    if (!this.bounds(path)) return;
    const place = await this.#places.enter(keyId, signal);
    onAbort(signal, () => place[Symbol.dispose]());
    if (signal.aborted) throw new CmdopError("Canceled", "The call was over before it was its turn.");
  }
}
