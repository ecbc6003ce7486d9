import type { OnTransferLink } from "./types.ts";

/**
 * Reports once that a machine can't be reached, and once that it is back, since all files of a transfer lose
 * it together.
 */
export class LinkWatch {
  readonly #onLink: OnTransferLink | undefined;
  readonly #end: "source" | "destination";
  #isLost = false;
  #wasReached = false;

  constructor(end: "source" | "destination", onLink: OnTransferLink | undefined) {
    this.#end = end;
    this.#onLink = onLink;
  }

  /** True if the machine was reached at least once. */
  get wasReached(): boolean {
    return this.#wasReached;
  }

  /** Reports that a call was refused for want of a connection, or (`isBroken`) broke off on its way. */
  lost(isBroken: boolean): void {
    this.#wasReached ||= isBroken;
    if (!this.#isLost) this.#onLink?.("lost", this.#end);
    this.#isLost = true;
  }

  /** Reports that the machine has answered. */
  back(): void {
    this.#wasReached = true;
    if (this.#isLost) this.#onLink?.("back", this.#end);
    this.#isLost = false;
  }
}
