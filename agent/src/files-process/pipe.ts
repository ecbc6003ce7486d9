import type { OnReadOpts, Socket } from "node:net";
import { type FrameReader, headOf } from "./frames.ts";

/** Less is cheaper to copy than to send as a piece of its own. */
const MIN_PIECE_BYTES = 4 * 1024;

/** How the socket of a pipe is to be made, so that it reads into the memory that the reader names. `onBroken` is told of what is no frame. */
export function readingInto(reader: FrameReader, onBroken: (thrown: unknown) => void): OnReadOpts {
  return {
    buffer: () => reader.room,
    callback: (bytes) => {
      try {
        reader.arrived(bytes);
      } catch (thrown) {
        onBroken(thrown);
      }
      return true;
    },
  };
}

/** The connection of the agent and its files process: frames, both ways. */
export class Pipe {
  readonly #socket: Socket;
  /** Resolves when it is closed, from whichever end. */
  readonly closed: Promise<void>;
  /** Frames that are sent in one turn of the loop go out together. */
  #isCorked = false;

  /** `socket`: made as `readingInto` says. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    // Every error is followed by close, and one that ends its side has nothing more to hear.
    socket.on("error", () => undefined);
    socket.once("end", () => socket.destroy());
  }

  /** Sends a frame. Resolves when its memory may be used again: it has gone, or never will. */
  send(kind: number, call: number, pieces: readonly Buffer[] = []): Promise<void> {
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const head = headOf(kind, call, bytes);
    const socket = this.#socket;
    if (socket.destroyed) return Promise.resolve();
    this.#cork();
    if (bytes < MIN_PIECE_BYTES) return written(socket, Buffer.concat([head, ...pieces]));
    const [last] = pieces.slice(-1);
    socket.write(head);
    for (const piece of pieces.slice(0, -1)) socket.write(piece);
    return written(socket, last ?? Buffer.alloc(0));
  }

  close(): void {
    this.#socket.destroy();
  }

  /** An idle pipe keeps nobody from exiting. */
  holdOpen(isBusy: boolean): void {
    if (this.#socket.destroyed) return;
    if (isBusy) this.#socket.ref();
    else this.#socket.unref();
  }

  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      this.#socket.uncork();
    });
  }
}

function written(socket: Socket, piece: Buffer): Promise<void> {
  return new Promise((resolve) => socket.write(piece, () => resolve()));
}
