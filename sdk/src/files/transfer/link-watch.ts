import type { OnTransferLink } from "./types.ts";

/** Tells once that a machine can't be reached, and once that it is back: all files of a transfer lose it together. */
export class LinkWatch {
  readonly #onLink: OnTransferLink | undefined;
  readonly #end: "source" | "destination";
  #isLost = false;

  constructor(end: "source" | "destination", onLink: OnTransferLink | undefined) {
    this.#end = end;
    this.#onLink = onLink;
  }

  /** A call was cut off or not taken. */
  lost(): void {
    if (!this.#isLost) this.#onLink?.("lost", this.#end);
    this.#isLost = true;
  }

  /** The machine has answered. */
  back(): void {
    if (this.#isLost) this.#onLink?.("back", this.#end);
    this.#isLost = false;
  }
}
