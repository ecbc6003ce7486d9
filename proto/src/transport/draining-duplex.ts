import { Duplex } from "node:stream";

/** Bytes that may wait unsent in one connection before writes are acknowledged at the peer's pace again: twice the largest session window. */
export const MAX_UNSENT_BYTES = 32 * 1024 * 1024;

/**
 * Stands between an HTTP/2 session and its socket and acknowledges writes at
 * once. Node's HTTP/2 stops reading while a socket write is pending, so two
 * peers that both have more in flight than the kernel takes would wait for each
 * other for ever. What is in flight is bounded by the flow-control windows; a
 * peer that grants huge windows and then reads nothing meets MAX_UNSENT_BYTES,
 * plus the one write that each stream of the session may have handed over with
 * the others in a batch.
 */
export class DrainingDuplex extends Duplex {
  readonly #socket: Duplex;

  constructor(socket: Duplex) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on("end", () => this.push(null));
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => {
      // What came before the peer's end is still to be read.
      if (socket.readableEnded && this.readableLength > 0) this.once("end", () => this.destroy());
      else this.destroy();
    });
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#socket.write(chunk);
    this.#acknowledge(callback);
  }

  override _writev(
    chunks: { chunk: Buffer; encoding: BufferEncoding }[],
    callback: (error?: Error | null) => void,
  ): void {
    this.#socket.cork();
    for (const { chunk } of chunks) this.#socket.write(chunk);
    this.#socket.uncork();
    this.#acknowledge(callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.end(() => callback());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#socket.destroy();
    callback(error);
  }

  #acknowledge(callback: () => void): void {
    const socket = this.#socket;
    if (socket.writableLength <= MAX_UNSENT_BYTES) {
      callback();
      return;
    }
    const done = (): void => {
      socket.off("drain", done);
      socket.off("close", done);
      callback();
    };
    socket.once("drain", done);
    // A connection that closes never drains, and an unanswered write would keep all behind it waiting.
    socket.once("close", done);
  }
}
