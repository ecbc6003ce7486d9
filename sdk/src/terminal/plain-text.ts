/** Longest text that is kept for a search, in bytes; older text can't be found any more. */
export const SEARCHED_BYTES = 256 * 1024;

/** First size of the buffer, in bytes; it doubles. */
const FIRST_ROOM_BYTES = 4 * 1024;

const BELL = 0x07;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const CANCEL = 0x18;
const SUBSTITUTE = 0x1a;
const ESCAPE = 0x1b;
const DELETE = 0x7f;
const CSI = byteOf("[");
/** Second bytes of OSC, DCS, SOS, PM and APC, the sequences that hold a text of their own. */
const STRINGS = new Set([..."]PX^_"].map(byteOf));

type State = "text" | "escape" | "csi" | "string" | "string-escape";

/**
 * The text in a terminal's bytes, without escapes and control characters. Every kind of line end becomes
 * one `\n`, a bare carriage return too, since a progress bar uses it to begin its line anew. A chunk may end
 * within a sequence or a character.
 */
export class PlainText {
  #state: State = "text";
  /** True if a line feed would belong to the carriage return before it. */
  #isLineFeedTaken = false;
  /** The bytes of the text. */
  #bytes = new Uint8Array(FIRST_ROOM_BYTES);
  /** The journal offset behind each byte, counted from `#base`. */
  #ends = new Float64Array(FIRST_ROOM_BYTES);
  #length = 0;
  readonly #base: bigint;

  /** `base`: the journal offset of the first byte. */
  constructor(base: bigint) {
    this.#base = base;
  }

  /** The text so far, without a last character whose end is still missing. */
  get text(): string {
    return this.#decoded(this.#length);
  }

  /** Returns the journal offset behind the first `chars` characters of `text`. */
  offsetAfter(chars: number): bigint {
    if (chars === 0) return this.#base;
    // This searches the shortest beginning with so many characters; bytes that are no UTF-8 make it
    // impossible to compute.
    let [low, high] = [0, this.#length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#decoded(middle).length >= chars) high = middle;
      else low = middle + 1;
    }
    return this.#base + BigInt(this.#ends[low - 1] ?? 0);
  }

  /** Takes the bytes at `offset` of the journal. */
  add(offset: bigint, data: Uint8Array): void {
    for (const [index, byte] of data.entries()) this.#take(byte, Number(offset - this.#base) + index + 1);
  }

  /** Forgets the text, because the next bytes do not follow on it. */
  clear(): void {
    this.#length = 0;
    this.#state = "text";
    this.#isLineFeedTaken = false;
  }

  #take(byte: number, end: number): void {
    switch (this.#state) {
      case "text":
        if (byte === ESCAPE) this.#state = "escape";
        else this.#takeText(byte, end);
        return;
      case "string-escape":
      case "escape":
        this.#takeEscape(byte);
        return;
      case "csi":
        if (byte === ESCAPE) this.#state = "escape";
        else if ((byte >= 0x40 && byte < DELETE) || isAbort(byte)) this.#state = "text";
        return;
      case "string":
        if (byte === ESCAPE) this.#state = "string-escape";
        else if (byte === BELL || isAbort(byte)) this.#state = "text";
    }
  }

  #takeEscape(byte: number): void {
    if (byte === CSI) this.#state = "csi";
    else if (STRINGS.has(byte)) this.#state = "string";
    else if (byte === ESCAPE) this.#state = "escape";
    // Bytes 0x20 to 0x2f only announce the final byte.
    else if (byte < 0x20 || byte > 0x2f) this.#state = "text";
  }

  #takeText(byte: number, end: number): void {
    if (byte === CARRIAGE_RETURN) {
      if (this.#isAtLineStart) return;
      this.#keep(LINE_FEED, end);
      this.#isLineFeedTaken = true;
    } else if (byte === LINE_FEED && this.#isLineFeedTaken) {
      this.#isLineFeedTaken = false;
      this.#ends[this.#length - 1] = end;
    } else if (byte === LINE_FEED || byte === TAB || (byte >= 0x20 && byte !== DELETE)) {
      this.#isLineFeedTaken = false;
      this.#keep(byte, end);
    }
  }

  get #isAtLineStart(): boolean {
    return this.#length === 0 || this.#bytes[this.#length - 1] === LINE_FEED;
  }

  #keep(byte: number, end: number): void {
    if (this.#length === this.#bytes.length) this.#makeRoom();
    this.#bytes[this.#length] = byte;
    this.#ends[this.#length] = end;
    this.#length += 1;
  }

  /** Doubles the buffer. At twice the size that is kept, it forgets the older half instead. */
  #makeRoom(): void {
    if (this.#length < 2 * SEARCHED_BYTES) {
      const [bytes, ends] = [this.#bytes, this.#ends];
      this.#bytes = new Uint8Array(2 * this.#length);
      this.#ends = new Float64Array(2 * this.#length);
      this.#bytes.set(bytes);
      this.#ends.set(ends);
      return;
    }
    this.#bytes.copyWithin(0, SEARCHED_BYTES);
    this.#ends.copyWithin(0, SEARCHED_BYTES);
    this.#length = SEARCHED_BYTES;
  }

  #decoded(bytes: number): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.#bytes.subarray(0, bytes), {
      stream: true,
    });
  }
}

/** Returns true for CAN and SUB, which break a sequence off. */
function isAbort(byte: number): boolean {
  return byte === CANCEL || byte === SUBSTITUTE;
}

function byteOf(character: string): number {
  return character.charCodeAt(0);
}
