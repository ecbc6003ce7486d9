import { type RunEvent, runEventLine } from "@cmdop/proto";
import type { Journal } from "../jobs/journal/journal.ts";

/** What stands where the key of the model's provider would have been written down. */
const REMOVED = "[key removed]";

/** Writes a run's events to its journal: one JSON line each, on a channel of their own. */
export class RunEvents {
  readonly #journal: Pick<Journal, "append">;
  readonly #secret: string | undefined;
  #isEnded = false;

  /** `secret` is never written: a provider may quote the key that it refuses. */
  constructor(journal: Pick<Journal, "append">, secret: string | undefined) {
    this.#journal = journal;
    this.#secret = secret;
  }

  /** After `end` nothing is written any more: what comes late has nobody to read it. */
  write(event: RunEvent): void {
    if (this.#isEnded) return;
    this.#isEnded = event.type === "end";
    this.#journal.append("events", Buffer.from(this.withoutSecret(runEventLine(event))));
  }

  /** Text for anybody's eyes. */
  withoutSecret(text: string): string {
    return this.#secret === undefined ? text : text.replaceAll(this.#secret, REMOVED);
  }
}
