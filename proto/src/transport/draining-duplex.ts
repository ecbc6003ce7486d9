import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { LANE_WINDOWS } from "./lanes.ts";

/** Bytes that may wait unsent in one connection before writes are acknowledged at the peer's pace again: twice the interactive lane's session window. */
export const MAX_UNSENT_BYTES = 2 * LANE_WINDOWS.interactive.toCaller.session;

/** What a write costs in memory beside its bytes while it waits: else a peer that never reads its 17-byte ping answers could make us hold any number of them. */
export const WRITE_OVERHEAD_BYTES = 512;

/**
 * Stands between an HTTP/2 session and its socket and acknowledges writes at
 * once. Node's HTTP/2 stops reading while a socket write is pending, so two
 * peers that both have more in flight than the kernel takes would wait for each
 * other for ever. What is in flight is bounded by the flow-control windows; a
 * peer that grants huge windows, or asks for answers that no window covers, and
 * then reads nothing meets the bound, plus the one write that each stream
 * of the session may have handed over with the others in a batch.
 *
 * It also keeps a session from never hearing of its end, as happens to one whose
 * write is the first to meet a reset connection. Each byte passes JavaScript in it:
 * for keystrokes and pairs in memory, not for content.
 */
export class DrainingDuplex extends Socket {
  readonly #socket: Duplex;
  #unsentBytes = 0;
  #waiting: (() => void) | undefined;
  #hasPeerEnded = false;

  constructor(socket: Duplex) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.once("end", () => {
      this.#hasPeerEnded = true;
      this.#endWhenRead();
    });
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => {
      // A connection that closes sends no more, and an unanswered write would keep all behind it waiting.
      this.#acknowledge();
      if (!socket.readableEnded) this.destroy();
    });
  }

  /** What waits to be sent, in bytes of memory. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  override read(size?: number): Buffer | null {
    const chunk: Buffer | null = super.read(size);
    this.#endWhenRead();
    return chunk;
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#send([chunk], callback);
  }

  override _writev(
    chunks: { chunk: Buffer; encoding: BufferEncoding }[],
    callback: (error?: Error | null) => void,
  ): void {
    const batch = chunks.map(({ chunk }) => chunk);
    this.#socket.cork();
    this.#send(batch, callback);
    this.#socket.uncork();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.end(() => callback());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#socket.destroy();
    callback(error);
    // Sockets say so themselves.
    process.nextTick(() => this.emit("close", error !== null));
  }

  #send(batch: readonly Buffer[], callback: () => void): void {
    for (const chunk of batch) {
      const bytes = chunk.length + WRITE_OVERHEAD_BYTES;
      this.#unsentBytes += bytes;
      this.#socket.write(chunk, () => {
        this.#unsentBytes -= bytes;
        if (this.#unsentBytes <= MAX_UNSENT_BYTES) this.#acknowledge();
      });
    }
    if (this.#unsentBytes <= MAX_UNSENT_BYTES || this.#socket.destroyed) {
      callback();
      return;
    }
    this.#waiting = callback;
  }

  /**
   * HTTP/2 knows no half of a connection: what came before the end is still
   * read, then all is over. The session is not told of the end itself: it would
   * end its own side, and what it writes until that is done meets an assertion
   * in Node, which ends the process.
   */
  #endWhenRead(): void {
    if (this.#hasPeerEnded && this.readableLength === 0) setImmediate(() => this.destroy());
  }

  #acknowledge(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }
}
