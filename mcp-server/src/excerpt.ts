import { isUtf8 } from "node:buffer";
import { HEAD_BYTES, TAIL_BYTES } from "./limits.ts";
import { brokenEnd, brokenStart, looseTextOf } from "./utf8.ts";

/**
 * The beginning and the end of a stream of bytes, in bounded memory however
 * long the stream is. What falls out between them is counted, never silent.
 */
export class Excerpt {
  readonly #head = Buffer.alloc(HEAD_BYTES);
  /** A ring: once full, the oldest byte is at #tailBytes modulo its size. */
  readonly #tail = Buffer.alloc(TAIL_BYTES);
  #headBytes = 0;
  #tailBytes = 0;

  /** Takes the next bytes of the stream. */
  add(data: Uint8Array): void {
    const forHead = data.subarray(0, HEAD_BYTES - this.#headBytes);
    this.#head.set(forHead, this.#headBytes);
    this.#headBytes += forHead.length;

    const behind = data.subarray(forHead.length);
    const kept = behind.subarray(Math.max(0, behind.length - TAIL_BYTES));
    const at = (this.#tailBytes + behind.length - kept.length) % TAIL_BYTES;
    const untilEnd = kept.subarray(0, TAIL_BYTES - at);
    this.#tail.set(untilEnd, at);
    this.#tail.set(kept.subarray(untilEnd.length), 0);
    this.#tailBytes += behind.length;
  }

  /** Bytes that came so far. */
  get totalBytes(): number {
    return this.#headBytes + this.#tailBytes;
  }

  /** Whether bytes were left out. */
  get isCut(): boolean {
    return this.#tailBytes > TAIL_BYTES;
  }

  /** Whether what was kept is not UTF-8, so that its text is not what the command wrote. */
  get isBinary(): boolean {
    return !this.#kept().parts.every((part) => isUtf8(part));
  }

  /** The text, with a marker that counts what was left out. */
  text(): string {
    const { parts, omittedBytes } = this.#kept();
    return parts.map(looseTextOf).join(`\n[… ${omittedBytes} bytes left out …]\n`);
  }

  /** The last line that has anything in it, for progress; at most `maxChars` long. */
  lastLine(maxChars: number): string {
    const lines = this.text().split(/[\r\n]/);
    return (lines.findLast((line) => line.trim() !== "") ?? "").slice(0, maxChars);
  }

  /** What is there, in one part or in two with something left out in between, cut between characters. */
  #kept(): { readonly parts: readonly Uint8Array[]; readonly omittedBytes: number } {
    const head = this.#head.subarray(0, this.#headBytes);
    if (!this.isCut) {
      return { parts: [Buffer.concat([head, this.#tail.subarray(0, this.#tailBytes)])], omittedBytes: 0 };
    }
    const oldest = this.#tailBytes % TAIL_BYTES;
    const tail = Buffer.concat([this.#tail.subarray(oldest), this.#tail.subarray(0, oldest)]);
    const first = head.subarray(0, head.length - brokenEnd(head));
    const last = tail.subarray(brokenStart(tail));
    return { parts: [first, last], omittedBytes: this.totalBytes - first.length - last.length };
  }
}
