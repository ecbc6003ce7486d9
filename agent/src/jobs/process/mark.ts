import type { Readable } from "node:stream";

/** More than a shell has to say on one failure. */
const MAX_MARK_CHARACTERS = 16 * 1024;

/**
 * What the shell of launch.ts says before its program begins: nothing where it
 * does, since the pipe ends when nobody has its other end any more.
 */
export class Mark {
  /** Never rejects. */
  readonly said: Promise<string>;
  readonly #pipe: Readable;

  constructor(pipe: Readable) {
    this.#pipe = pipe;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.said = promise;
    let text = "";
    pipe.setEncoding("utf8");
    pipe.on("data", (piece: string) => {
      if (text.length < MAX_MARK_CHARACTERS) text += piece;
    });
    pipe.once("error", () => pipe.destroy());
    pipe.once("close", () => resolve(text));
  }

  close(): void {
    this.#pipe.destroy();
  }
}
