import { isUtf8 } from "node:buffer";
import { TextDecoder } from "node:util";
import { DETECT_BYTES, detectText, readable } from "@cmdop/proto/text";
import { MAX_LINE_BYTES, MAX_SHOWN_LINE_UNITS } from "./thread-limits.ts";

/** A line that matches. */
export interface LineMatch {
  /** From 1. */
  readonly line: number;
  /** Where the first match begins, in UTF-16 units from 0, and how long it is. */
  readonly column: number;
  readonly length: number;
  /** The line, or of a long one a part with the beginning of the match. */
  readonly text: string;
  /** Where in the line `text` begins. */
  readonly textStart: number;
  readonly before: string[];
  readonly after: string[];
}

const NEWLINE = 0x0a;

/** Finds the matching lines of one text that arrives in pieces. */
export class LineMatcher {
  readonly #pattern: RegExp;
  readonly #contextLines: number;
  /** Undefined for UTF-8, and until the first piece is there. */
  #decoder: TextDecoder | undefined;
  #begun = false;
  /** What has come until it is known what it is. */
  #head: Uint8Array = new Uint8Array();
  /** The beginning of a line whose end has not come yet. */
  #tail: Uint8Array = new Uint8Array();
  /** The rest of a line that was too long. */
  #skipping = false;
  #line = 0;
  #before: string[] = [];
  /** Matches that still get lines after them. */
  #unfinished: LineMatch[] = [];
  #binary = false;
  #longLine = false;

  /** `pattern` without the flags g and y. */
  constructor(pattern: RegExp, contextLines: number) {
    this.#pattern = pattern;
    this.#contextLines = contextLines;
  }

  /** It is no text, as soon as a piece shows it: nothing more is matched. */
  get binary(): boolean {
    return this.#binary;
  }

  /** A line was longer than is matched. */
  get longLine(): boolean {
    return this.#longLine;
  }

  /** The matches that the next piece completes, in their order. Must be read to the end before the next piece. */
  *feed(piece: Uint8Array, last: boolean): Generator<LineMatch> {
    const text = this.#textIn(piece, last);
    if (text === undefined) this.#binary = true;
    else yield* this.#lines(text, last);
    if (!this.#binary && !last) return;
    yield* this.#unfinished;
    this.#unfinished = [];
  }

  /** A piece as UTF-8, whatever the text's encoding; undefined where it is no text. */
  #textIn(piece: Uint8Array, last: boolean): Uint8Array | undefined {
    if (this.#binary) return undefined;
    if (!this.#begun) {
      // Only from enough of its beginning can be told what a text is.
      this.#head = Buffer.concat([this.#head, piece]);
      if (this.#head.length < DETECT_BYTES && !last) return new Uint8Array();
      return this.#decoded(this.#head, last);
    }
    return this.#decoded(piece, last);
  }

  #decoded(piece: Uint8Array, last: boolean): Uint8Array | undefined {
    if (this.#decoder === undefined && (!this.#begun || piece.includes(0))) {
      const detected = detectText(piece);
      if (detected.kind === "binary") return undefined;
      const { encoding } = detected;
      if (!this.#begun && encoding !== "utf-8") this.#decoder = new TextDecoder(encoding);
    }
    this.#begun = true;
    this.#head = new Uint8Array();
    return this.#decoder === undefined ? piece : Buffer.from(this.#decoder.decode(piece, { stream: !last }));
  }

  *#lines(piece: Uint8Array, last: boolean): Generator<LineMatch> {
    let rest = piece;
    if (this.#skipping) {
      const end = rest.indexOf(NEWLINE);
      if (end === -1) return;
      rest = rest.subarray(end + 1);
      this.#skipping = false;
    }
    const bytes = this.#tail.length === 0 ? rest : Buffer.concat([this.#tail, rest]);
    const complete = last ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;
    yield* this.#complete(bytes.subarray(0, complete));
    this.#tail = bytes.slice(complete);
    if (this.#tail.length <= MAX_LINE_BYTES) return;
    this.#longLine = true;
    this.#skipping = true;
    const beginning = this.#tail.subarray(0, MAX_LINE_BYTES);
    this.#tail = new Uint8Array();
    yield* this.#match(textOf(beginning));
  }

  /** Whole lines; only the last of a text may lack its end. */
  *#complete(bytes: Uint8Array): Generator<LineMatch> {
    const text = textOf(bytes);
    for (let from = 0; from < text.length; ) {
      const found = text.indexOf("\n", from);
      const end = found === -1 ? text.length : found;
      const withoutReturn = end > from && text[end - 1] === "\r" ? end - 1 : end;
      yield* this.#match(this.#bounded(text.slice(from, withoutReturn)));
      from = end + 1;
    }
  }

  /** A line, or the beginning of one that is too long. */
  #bounded(line: string): string {
    // A UTF-16 unit has three bytes of UTF-8 at most.
    if (line.length <= MAX_LINE_BYTES / 3 || Buffer.byteLength(line) <= MAX_LINE_BYTES) return line;
    this.#longLine = true;
    return textOf(Buffer.from(line).subarray(0, MAX_LINE_BYTES));
  }

  *#match(line: string): Generator<LineMatch> {
    this.#line += 1;
    const context = this.#contextLines;
    const shown = context === 0 ? "" : line.slice(0, MAX_SHOWN_LINE_UNITS).toWellFormed();
    for (const match of this.#unfinished) match.after.push(shown);
    while (this.#unfinished[0]?.after.length === context) {
      const done = this.#unfinished.shift();
      if (done !== undefined) yield done;
    }
    const found = this.#pattern.exec(line);
    if (found !== null) {
      const match = this.#described(line, found.index, found[0].length);
      if (context === 0) yield match;
      else this.#unfinished.push(match);
    }
    if (context === 0) return;
    this.#before.push(shown);
    if (this.#before.length > context) this.#before.shift();
  }

  #described(line: string, column: number, length: number): LineMatch {
    // A part of a long line begins a little before its match.
    const wanted = line.length <= MAX_SHOWN_LINE_UNITS ? 0 : column - MAX_SHOWN_LINE_UNITS / 4;
    const textStart = Math.max(0, Math.min(wanted, line.length - MAX_SHOWN_LINE_UNITS));
    const text = line.slice(textStart, textStart + MAX_SHOWN_LINE_UNITS).toWellFormed();
    return { line: this.#line, column, length, text, textStart, before: [...this.#before], after: [] };
  }
}

/** UTF-8; what is none is matched as it is shown, `\xE9`. A mark at the beginning is left out. */
function textOf(bytes: Uint8Array): string {
  return isUtf8(bytes) && !bytes.includes(0)
    ? new TextDecoder().decode(bytes)
    : readable(bytes, "utf-8").text;
}
