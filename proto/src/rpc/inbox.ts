import type { Http2Stream } from "node:http2";
import { CmdopError } from "../errors/cmdop-error.ts";
import { unreadBytes } from "../transport/unread.ts";
import { noteContent } from "../transport/young-buffers.ts";
import { MessageSplitter } from "./frame.ts";

/** Bytes and messages that wait for their reader before the stream is paused; HTTP/2's window then stops the sender. */
const MAX_WAITING_BYTES = 64 * 1024;
const MAX_WAITING_MESSAGES = 128;

/** How messages are read. */
export interface InboxOptions<T> {
  readonly maxBytes: number;
  readonly decode: (body: Buffer) => T;
  readonly recycles?: boolean | undefined;
}

/** The messages of one direction of a call, read at their reader's pace: one reader, which waits for one message at a time. */
export class Inbox<T> {
  readonly #stream: Http2Stream;
  readonly #waiting: { readonly message: T; readonly body: Buffer }[] = [];
  readonly #splitter: MessageSplitter;
  readonly #recycles: boolean;
  readonly #take: (chunk: Buffer) => void;
  #used: Buffer | undefined;
  #waitingBytes = 0;
  /** Of the first message, where its reader may keep it to the end of the call. */
  #firstBytes: number | undefined;
  /** Of the message that its reader works on. */
  #readBytes = 0;
  #wake: (() => void) | undefined;
  #state: "open" | "ended" | "broken" = "open";
  #failure: CmdopError | undefined;

  /**
   * Messages of `maxBytes` at most; `decode` may throw a CmdopError. With
   * `recycles` a message is its reader's only until it asks for the next.
   */
  constructor(stream: Http2Stream, { maxBytes, decode, recycles = false }: InboxOptions<T>) {
    this.#stream = stream;
    this.#recycles = recycles;
    const splitter = new MessageSplitter(maxBytes, (body) => {
      this.#waiting.push({ message: decode(body), body });
      this.#waitingBytes += body.length;
    });
    this.#splitter = splitter;
    this.#take = (chunk) => {
      noteContent(chunk.length);
      if (this.#failure !== undefined) return;
      try {
        splitter.push(chunk);
      } catch (thrown) {
        this.#failure = CmdopError.from(thrown);
      }
      if (this.#isFull) stream.pause();
      this.#stir();
    };
    stream.on("data", this.#take);
    // A reset looks like an end, but leaves its code.
    stream.once("end", () => {
      this.#over(stream.rstCode === 0 && !splitter.isAmidMessage ? "ended" : "broken");
      splitter.release();
    });
    stream.once("close", () => {
      this.#over("broken");
      // However long its reader goes on, no more of the stream comes to it.
      this.#discard();
    });
  }

  /** Bytes that `fail` frees: what nobody has read yet, and memory kept for the next message while one may come. */
  get freeableBytes(): number {
    return unreadBytes(this.#stream) + this.#splitter.heldBytes + this.#waitingBytes;
  }

  /** Bytes of the messages that their reader has been given and may still hold. */
  get readBytes(): number {
    return (this.#firstBytes ?? 0) + this.#readBytes;
  }

  /** How it ended: `broken` by a reset, a lost connection, or amid a message. */
  get state(): "open" | "ended" | "broken" {
    return this.#state;
  }

  /** The next message; undefined when there are no more, for whatever reason. Throws for what is no message. */
  async next(): Promise<T | undefined> {
    if (this.#used !== undefined && this.#mayGetMore) this.#splitter.recycle(this.#used);
    this.#used = undefined;
    this.#readBytes = 0;
    for (;;) {
      const first = this.#waiting.shift();
      if (first !== undefined) {
        if (this.#recycles) this.#used = first.body;
        this.#waitingBytes -= first.body.length;
        this.#noteRead(first.body.length);
        if (!this.#isFull && this.#stream.isPaused()) this.#stream.resume();
        return first.message;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#state !== "open") return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** No more is read: who waits for a message hears that there is none. */
  stop(): void {
    this.#over("broken");
  }

  /** Drops what nobody has read and all that comes: its reader hears why instead. */
  fail(error: CmdopError): void {
    this.#failure ??= error;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#discard();
    this.#stir();
  }

  get #mayGetMore(): boolean {
    return this.#state === "open" && this.#failure === undefined;
  }

  get #isFull(): boolean {
    return this.#waitingBytes >= MAX_WAITING_BYTES || this.#waiting.length >= MAX_WAITING_MESSAGES;
  }

  /** The first message is seen by the gate too, and kept by it; unless its memory is used again. */
  #noteRead(bytes: number): void {
    if (this.#firstBytes === undefined && !this.#recycles) this.#firstBytes = bytes;
    else this.#readBytes = bytes;
  }

  /** Without a listener a stream throws away what it has and gets. */
  #discard(): void {
    this.#stream.off("data", this.#take);
    if (!this.#stream.destroyed || this.#stream.readableLength > 0) this.#stream.resume();
    this.#splitter.release();
  }

  #over(how: "ended" | "broken"): void {
    if (this.#state === "open") this.#state = how;
    this.#stir();
  }

  #stir(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
