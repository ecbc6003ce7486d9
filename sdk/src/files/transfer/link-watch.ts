import type { OnTransferLink } from "./types.ts";

/** Tells once that a machine can't be reached, and once that it is back: all files of a transfer lose it together. */
export class LinkWatch {
  readonly #onLink: OnTransferLink | undefined;
  readonly #end: "source" | "destination";
  #isLost = false;
  #wasReached = false;

  constructor(end: "source" | "destination", onLink: OnTransferLink | undefined) {
    this.#end = end;
    this.#onLink = onLink;
  }

  /** Whether anything has gone there. */
  get wasReached(): boolean {
    return this.#wasReached;
  }

  /** A call was not taken, or broken off on its way. */
  lost(isBroken: boolean): void {
    this.#wasReached ||= isBroken;
    if (!this.#isLost) this.#onLink?.("lost", this.#end);
    this.#isLost = true;
  }

  /** The machine has answered. */
  back(): void {
    this.#wasReached = true;
    if (this.#isLost) this.#onLink?.("back", this.#end);
    this.#isLost = false;
  }
}
