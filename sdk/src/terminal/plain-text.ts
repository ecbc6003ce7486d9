/** Text that is kept for a search; what is older can't be found any more. */
export const SEARCHED_BYTES = 256 * 1024;

/** Room for a text at first; it doubles. */
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
/** OSC, DCS, SOS, PM, APC: sequences that hold a text of their own. */
const STRINGS = new Set([..."]PX^_"].map(byteOf));

type State = "text" | "escape" | "csi" | "string" | "string-escape";

/**
 * What a terminal's bytes say, without escapes and control characters. Every
 * kind of line end is one `\n`, a bare carriage return too: whoever draws a
 * progress bar begins its line anew. Sequences and characters may be cut
 * anywhere by the end of a chunk.
 */
export class PlainText {
  #state: State = "text";
  /** Whether a line feed belongs to the carriage return before it. */
  #isLineFeedTaken = false;
  /** The bytes of the text. */
  #bytes = new Uint8Array(FIRST_ROOM_BYTES);
  /** Where each of them ends in the journal, counted from `#base`. */
  #ends = new Float64Array(FIRST_ROOM_BYTES);
  #length = 0;
  readonly #base: bigint;

  /** `base`: the journal offset of the first byte. */
  constructor(base: bigint) {
    this.#base = base;
  }

  /** The text so far; a character whose end is still missing is not in it. */
  get text(): string {
    return this.#decoded(this.#length);
  }

  /** The journal offset behind the first `chars` characters of `text`. */
  offsetAfter(chars: number): bigint {
    if (chars === 0) return this.#base;
    // The shortest beginning that has them: bytes that are no UTF-8 forbid to compute it.
    let [low, high] = [0, this.#length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#decoded(middle).length >= chars) high = middle;
      else low = middle + 1;
    }
    return this.#base + BigInt(this.#ends[low - 1] ?? 0);
  }

  /** Takes the bytes that the journal has at `offset`. */
  add(offset: bigint, data: Uint8Array): void {
    for (const [index, byte] of data.entries()) this.#take(byte, Number(offset - this.#base) + index + 1);
  }

  /** Forgets the text: what comes next does not follow on it. */
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
    // 0x20 to 0x2f only announce the final byte.
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

  /** Twice the room; once there is room for twice of what is kept, the older half is forgotten instead. */
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

/** CAN and SUB break a sequence off. */
function isAbort(byte: number): boolean {
  return byte === CANCEL || byte === SUBSTITUTE;
}

function byteOf(character: string): number {
  return character.charCodeAt(0);
}
