import type { Readable } from "node:stream";
import { Holdings } from "../../shares/holdings.ts";

/**
 * Pipes that background children of ended jobs still hold. They are read on
 * and thrown away, since closing them would kill the children with SIGPIPE.
 */
export class HeldPipes {
  /** The key whose job it was, by pipe, the oldest first. */
  readonly #keyOf = new Map<Readable, string>();
  readonly #held = new Holdings();
  readonly #maxPipes: number;

  constructor(maxPipes: number) {
    this.#maxPipes = maxPipes;
  }

  add(keyId: string, pipe: Readable): void {
    if (pipe.destroyed || pipe.readableEnded) return;
    this.#keyOf.set(pipe, keyId);
    this.#held.count(keyId, 1);
    pipe.once("close", () => this.#remove(pipe, keyId));
    pipe.resume();
    const [most] = this.#held.beyond(this.#maxPipes);
    const [oldest] = [...this.#keyOf].find(([, key]) => key === most) ?? [];
    if (most === undefined || oldest === undefined) return;
    this.#remove(oldest, most);
    oldest.destroy();
  }

  closeAll(): void {
    for (const pipe of this.#keyOf.keys()) pipe.destroy();
  }

  #remove(pipe: Readable, keyId: string): void {
    if (this.#keyOf.delete(pipe)) this.#held.count(keyId, -1);
  }
}
