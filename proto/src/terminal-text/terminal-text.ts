import { isUtf8 } from "node:buffer";
import { detectText } from "../text/index.ts";
import { openBytes } from "../text/utf8-pieces.ts";
import { EscapeReader } from "./escape-reader.ts";
import { type KeptBounds, KeptLines, type KeptText } from "./kept-lines.ts";
import type { Place } from "./line-list.ts";
import { TerminalRows } from "./terminal-rows.ts";

/** The place of a piece of output. */
export interface OutputPlace {
  /** Offset of its first byte, as its reader counts. Default: the number of bytes so far. */
  readonly offset?: number | undefined;
  /** The stream that it belongs to, if there are several. */
  readonly channel?: string | undefined;
}

/** One stream of bytes, with its incomplete parts. */
interface Channel {
  reader: EscapeReader;
  /** Start of an incomplete character. */
  bytes: Uint8Array;
  /** Start of an incomplete escape sequence. */
  sequence: string;
  /**
   * A description, if its first bytes are those of a binary file: then the stream is not shown. Undefined
   * before its first bytes.
   */
  binary: string | false | undefined;
}

const NOTHING = new Uint8Array();

/**
 * Smallest piece that is checked for binary content, in bytes: fewer bytes say too little, and take little
 * room.
 */
const MIN_BINARY_BYTES = 256;

/**
 * The output of a command as a person would see it, for a model to read. Escape sequences are removed, of
 * overwritten text only the last state is kept (progress, backspaces), a line that is repeated at once is
 * counted, and an output that is too long keeps its beginning and its end, with a note on the rest. Plain
 * text stays as it is. Bytes that are not UTF-8 become U+FFFD. A stream that starts with binary content is
 * one line.
 *
 * Time is linear in the bytes and memory is bounded, whatever they are.
 */
export class TerminalText {
  readonly #bounds: KeptBounds;
  readonly #channels = new Map<string, Channel>();
  #lines: KeptLines;
  #rows: TerminalRows;
  #latest: Channel | undefined;
  #totalBytes = 0;
  #isBinary = false;
  /** True if this text already has a note on binary content. */
  #isPassedOver = false;
  /** The text being read, the position up to which its bytes have been counted, and its end. */
  #reading:
    | { readonly text: string; at: number; place: Place; readonly end: Place; readonly isAscii: boolean }
    | undefined;
  #kept: KeptText | undefined;

  constructor(bounds: KeptBounds) {
    this.#bounds = bounds;
    this.#lines = new KeptLines(bounds);
    this.#rows = this.#newRows();
  }

  /** Adds the next bytes. */
  add(bytes: Uint8Array, { offset = this.#totalBytes, channel: name = "" }: OutputPlace = {}): void {
    const channel = this.#channel(name);
    // Lines of two streams are kept apart, even if one has not ended yet.
    if (this.#latest !== undefined && this.#latest !== channel) this.#rows.moveElsewhere();
    this.#latest = channel;
    if (bytes.length > 0) channel.binary ??= binaryOutput(bytes);
    if (typeof channel.binary === "string") {
      this.#passOver(channel.binary, bytes.length);
      return;
    }
    const held = channel.bytes.length + Buffer.byteLength(channel.sequence);
    const place = { bytes: this.#totalBytes - held, offset: offset - held };
    this.#totalBytes += bytes.length;
    const end = { bytes: this.#totalBytes, offset: offset + bytes.length };
    const text = channel.sequence + this.#decoded(channel, bytes);
    this.#reading = { text, at: 0, place, end, isAscii: Buffer.byteLength(text) === text.length };
    channel.sequence = channel.reader.read(text);
    this.#reading = undefined;
    this.#kept = undefined;
  }

  #passOver(binary: string, bytes: number): void {
    this.#totalBytes += bytes;
    this.#isBinary = true;
    if (this.#isPassedOver) return;
    this.#isPassedOver = true;
    this.note(`[${binary}: left out. Redirect it to a file to have it.]`);
  }

  /** Adds a line about the output. */
  note(text: string): void {
    this.#rows.moveElsewhere();
    this.#rows.print(text);
    this.#rows.newLine();
    this.#kept = undefined;
  }

  /** Number of bytes so far. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** True if something was not UTF-8. */
  get isBinary(): boolean {
    return this.#isBinary || [...this.#channels.values()].some(({ bytes }) => bytes.length > 0);
  }

  /** True if something was left out. */
  get isCut(): boolean {
    return this.#soFar().isCut;
  }

  /** Returns the text so far, at most `maxCharacters` of the bounds. */
  text(): string {
    return this.#soFar().text;
  }

  /** Returns the last line that is not blank, cut to `maxCharacters`. */
  lastLine(maxCharacters: number): string {
    return this.#soFar().lastLine.slice(0, maxCharacters);
  }

  /**
   * Returns the text so far and forgets it. Incomplete characters and sequences continue in the next text.
   */
  take(): string {
    const text = this.text();
    this.#isPassedOver = false;
    this.#lines = new KeptLines(this.#bounds);
    this.#rows = this.#newRows();
    for (const channel of this.#channels.values()) channel.reader = channel.reader.copyFor(this.#rows);
    this.#kept = undefined;
    return text;
  }

  #soFar(): KeptText {
    this.#kept ??= this.#ended();
    return this.#kept;
  }

  /** Returns the text as if nothing more came. */
  #ended(): KeptText {
    const lines = this.#lines.copy();
    const rows = this.#rows.copyFor((text, isEnd, from) => lines.add(text, isEnd, from));
    for (const { reader, bytes } of this.#channels.values()) {
      reader.copyFor(rows).end();
      if (bytes.length > 0) rows.print("\ufffd");
    }
    rows.end();
    return lines.end();
  }

  #newRows(): TerminalRows {
    return new TerminalRows(
      (text, isEnd, from) => this.#lines.add(text, isEnd, from),
      () => this.#place(),
    );
  }

  #channel(name: string): Channel {
    const channel = this.#channels.get(name) ?? {
      reader: new EscapeReader(this.#rows),
      bytes: NOTHING,
      sequence: "",
      binary: undefined,
    };
    this.#channels.set(name, channel);
    return channel;
  }

  #decoded(channel: Channel, bytes: Uint8Array): string {
    const all = channel.bytes.length === 0 ? bytes : Buffer.concat([channel.bytes, bytes]);
    const end = all.length - openBytes(all);
    const whole = all.subarray(0, end);
    // Copied, because a few bytes must not keep a large buffer alive.
    channel.bytes = end === all.length ? NOTHING : new Uint8Array(all.subarray(end));
    this.#isBinary ||= !isUtf8(whole);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(whole);
  }

  /** Returns the place of a row that begins now. */
  #place(): Place {
    const reading = this.#reading;
    if (reading === undefined) return { bytes: this.#totalBytes, offset: this.#totalBytes };
    const at = Math.max(reading.at, this.#latest?.reader.at ?? 0);
    const passed = reading.isAscii ? at - reading.at : Buffer.byteLength(reading.text.slice(reading.at, at));
    // Bytes that are not UTF-8 are fewer than those of their replacement.
    const bytes = Math.min(reading.end.bytes, reading.place.bytes + passed);
    const offset = Math.min(reading.end.offset, reading.place.offset + passed);
    reading.at = at;
    reading.place = { bytes, offset };
    return reading.place;
  }
}

/**
 * Describes output that starts with binary content; false for text. NULs alone (`find -print0`) do not make
 * it binary.
 */
function binaryOutput(first: Uint8Array): string | false {
  const beginning = first.subarray(0, first.length - openBytes(first));
  if (beginning.length < MIN_BINARY_BYTES || isUtf8(beginning)) return false;
  const detected = detectText(beginning);
  return (
    detected.kind === "binary" && `binary output${detected.type === undefined ? "" : `, ${detected.type}`}`
  );
}
