import { CmdopError } from "../errors/cmdop-error.ts";

/** Bytes before each message on the wire: one that says whether it is compressed, four for its length. */
export const PREFIX_BYTES = 5;

/** Memory that a message gets for its mere announcement; beyond it grows with what arrives. */
const FIRST_ROOM_BYTES = 1024 * 1024;

/** Less is cheaper to make anew than to keep. */
const MIN_RECYCLED_BYTES = 64 * 1024;

/** The prefix of an uncompressed message. */
export function prefixOf(length: number): Buffer {
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
  prefix[0] = 0;
  prefix.writeUInt32BE(length, 1);
  return prefix;
}

/** Takes the bytes of a stream apart into messages; each is copied once, or not at all where it arrives in one piece. */
export class MessageSplitter {
  readonly #maxBytes: number;
  readonly #take: (body: Buffer) => void;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  #body: Buffer = Buffer.alloc(0);
  #bodyBytes = 0;
  #length = 0;
  /** A message's memory that is free again: the next message needs none of its own. */
  #spare: Buffer | undefined;

  /** `take` is given each message when it is whole. */
  constructor(maxBytes: number, take: (body: Buffer) => void) {
    this.#maxBytes = maxBytes;
    this.#take = take;
  }

  /** Whether a message has begun and is not whole. */
  get isAmidMessage(): boolean {
    return this.#prefixBytes > 0;
  }

  /** Memory that it has filled: the part of a message that is here, and what is kept for the next. */
  get heldBytes(): number {
    return this.#bodyBytes + (this.#spare?.length ?? 0);
  }

  /** Lets go of it; nothing may be pushed any more. */
  release(): void {
    this.#body = Buffer.alloc(0);
    this.#bodyBytes = 0;
    this.#spare = undefined;
  }

  /** The next bytes of the stream. Throws MessageTooLarge, and Unimplemented for compressed messages. */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#prefixBytes < PREFIX_BYTES) {
        const copied = chunk.copy(this.#prefix, this.#prefixBytes, at, at + PREFIX_BYTES - this.#prefixBytes);
        at += copied;
        this.#prefixBytes += copied;
        if (this.#prefixBytes < PREFIX_BYTES) return;
        this.#begin();
        if (this.#length === 0) this.#finish(Buffer.alloc(0));
        continue;
      }
      const missing = this.#length - this.#bodyBytes;
      if (this.#bodyBytes === 0 && chunk.length - at >= missing) {
        this.#finish(chunk.subarray(at, at + missing));
        at += missing;
        continue;
      }
      const piece = chunk.subarray(at, at + missing);
      this.#makeRoom(piece.length);
      piece.copy(this.#body, this.#bodyBytes);
      at += piece.length;
      this.#bodyBytes += piece.length;
      if (this.#bodyBytes === this.#length) this.#finish(this.#body);
    }
  }

  #begin(): void {
    if (this.#prefix[0] !== 0) {
      throw new CmdopError("Unimplemented", "A message is compressed, which was never agreed on.");
    }
    this.#length = this.#prefix.readUInt32BE(1);
    if (this.#length > this.#maxBytes) {
      throw new CmdopError(
        "MessageTooLarge",
        `A message of ${this.#length} bytes: ${this.#maxBytes} are the most that is read.`,
      );
    }
  }

  /** The memory of a message that nobody needs any more. */
  recycle(body: Buffer): void {
    // A slice of somebody else's memory is not ours to write to.
    if (body.length >= MIN_RECYCLED_BYTES && body.byteLength === body.buffer.byteLength) this.#spare = body;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#bodyBytes + bytes;
    if (needed <= this.#body.length) return;
    if (this.#body.length === 0 && this.#spare?.length === this.#length) {
      this.#body = this.#spare;
      this.#spare = undefined;
      return;
    }
    const room = Math.min(this.#length, Math.max(needed, FIRST_ROOM_BYTES, this.#body.length * 2));
    const body = Buffer.allocUnsafeSlow(room);
    this.#body.copy(body, 0, 0, this.#bodyBytes);
    this.#body = body;
  }

  #finish(body: Buffer): void {
    this.#prefixBytes = 0;
    this.#bodyBytes = 0;
    this.#body = Buffer.alloc(0);
    this.#take(body);
  }
}
