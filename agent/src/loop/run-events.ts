import { type RunEvent, runEventLine } from "@cmdop/proto";
import type { Journal } from "../jobs/journal/journal.ts";

/** Replaces the key of the model's provider in everything that is written down. */
const REMOVED = "[key removed]";

/** Writes a run's events to its journal: one JSON line each, on the channel "events". */
export class RunEvents {
  readonly #journal: Pick<Journal, "append">;
  readonly #secret: string | undefined;
  #isEnded = false;

  /** `secret` is never written: a provider's error may quote the key that it refused. */
  constructor(journal: Pick<Journal, "append">, secret: string | undefined) {
    this.#journal = journal;
    this.#secret = secret;
  }

  /** Writes an event. After `end` it writes nothing: nobody would read it. */
  write(event: RunEvent): void {
    if (this.#isEnded) return;
    this.#isEnded = event.type === "end";
    this.#journal.append("events", Buffer.from(this.withoutSecret(runEventLine(event))));
  }

  /** Returns the text with the secret replaced. */
  withoutSecret(text: string): string {
    return this.#secret === undefined ? text : text.replaceAll(this.#secret, REMOVED);
  }
}
