import type { Readable } from "node:stream";

/**
 * Pipes that background children of ended jobs still hold. They are read on
 * and thrown away, since closing them would kill the children with SIGPIPE.
 */
export class HeldPipes {
  readonly #pipes = new Set<Readable>();
  readonly #maxPipes: number;

  constructor(maxPipes: number) {
    this.#maxPipes = maxPipes;
  }

  add(pipe: Readable): void {
    if (pipe.destroyed || pipe.readableEnded) return;
    this.#pipes.add(pipe);
    pipe.once("close", () => this.#pipes.delete(pipe));
    pipe.resume();
    const [oldest] = this.#pipes;
    if (this.#pipes.size > this.#maxPipes) oldest?.destroy();
  }

  closeAll(): void {
    for (const pipe of this.#pipes) pipe.destroy();
  }
}
