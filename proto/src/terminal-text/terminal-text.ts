import { isUtf8 } from "node:buffer";
import { detectText } from "../text/index.ts";
import { openBytes } from "../text/utf8-pieces.ts";
import { EscapeReader } from "./escape-reader.ts";
import { type KeptBounds, KeptLines, type KeptText } from "./kept-lines.ts";
import type { Place } from "./line-list.ts";
import { TerminalRows } from "./terminal-rows.ts";

/** Where a piece of output belongs. */
export interface OutputPlace {
  /** The offset of its first byte, as its reader counts; bytes from the beginning unless given. */
  readonly offset?: number | undefined;
  /** The stream that it is of, where there are several. */
  readonly channel?: string | undefined;
}

/** One stream of bytes: what of it waits for its rest. */
interface Channel {
  reader: EscapeReader;
  /** The beginning of a character. */
  bytes: Uint8Array;
  /** The beginning of an escape sequence. */
  sequence: string;
  /** In words, where its first bytes are those of a binary file: nobody reads any of it. Undefined before its first bytes. */
  binary: string | false | undefined;
}

const NOTHING = new Uint8Array();

/** Fewer bytes say too little of what they are, and take little room, in bytes. */
const MIN_BINARY_BYTES = 256;

/**
 * The output of a command as a person would see it, for a model to read: escape
 * sequences are gone, of what was drawn over the last state is left (progress,
 * backspaces), a line that comes again and again is counted, and where there is
 * too much of it, its beginning and its end are kept and the rest is counted.
 * Plain text stays as it is. Bytes that are not UTF-8 become U+FFFD. A stream
 * that begins as no text does is one line.
 *
 * Time is linear in the bytes and memory bounded, whatever they are.
 */
export class TerminalText {
  readonly #bounds: KeptBounds;
  readonly #channels = new Map<string, Channel>();
  #lines: KeptLines;
  #rows: TerminalRows;
  #latest: Channel | undefined;
  #totalBytes = 0;
  #isBinary = false;
  /** Whether this text says already that something binary was left out. */
  #isPassedOver = false;
  /** What is being read: its text, how far its bytes have been counted, and where it ends. */
  #reading:
    | { readonly text: string; at: number; place: Place; readonly end: Place; readonly isAscii: boolean }
    | undefined;
  #kept: KeptText | undefined;

  constructor(bounds: KeptBounds) {
    this.#bounds = bounds;
    this.#lines = new KeptLines(bounds);
    this.#rows = this.#newRows();
  }

  /** Takes the next bytes. */
  add(bytes: Uint8Array, { offset = this.#totalBytes, channel: name = "" }: OutputPlace = {}): void {
    const channel = this.#channel(name);
    // Lines of two streams are lines of their own, also where one has not ended yet.
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

  /** Takes a line about the output. */
  note(text: string): void {
    this.#rows.moveElsewhere();
    this.#rows.print(text);
    this.#rows.newLine();
    this.#kept = undefined;
  }

  /** Bytes that came so far. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Whether something was not UTF-8. */
  get isBinary(): boolean {
    return this.#isBinary || [...this.#channels.values()].some(({ bytes }) => bytes.length > 0);
  }

  /** Whether something was left out. */
  get isCut(): boolean {
    return this.#soFar().isCut;
  }

  /** What there is so far: `maxCharacters` at most. */
  text(): string {
    return this.#soFar().text;
  }

  /** The last line that has anything in it; at most `maxCharacters` long. */
  lastLine(maxCharacters: number): string {
    return this.#soFar().lastLine.slice(0, maxCharacters);
  }

  /** What there is so far, which is forgotten then; what has begun goes on in the next text. */
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

  /** As if nothing more came. */
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
    // A copy: a few bytes must not keep many alive.
    channel.bytes = end === all.length ? NOTHING : new Uint8Array(all.subarray(end));
    this.#isBinary ||= !isUtf8(whole);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(whole);
  }

  /** Where a row begins that begins now. */
  #place(): Place {
    const reading = this.#reading;
    if (reading === undefined) return { bytes: this.#totalBytes, offset: this.#totalBytes };
    const at = Math.max(reading.at, this.#latest?.reader.at ?? 0);
    const passed = reading.isAscii ? at - reading.at : Buffer.byteLength(reading.text.slice(reading.at, at));
    // What was not UTF-8 had fewer bytes than what stands for it.
    const bytes = Math.min(reading.end.bytes, reading.place.bytes + passed);
    const offset = Math.min(reading.end.offset, reading.place.offset + passed);
    reading.at = at;
    reading.place = { bytes, offset };
    return reading.place;
  }
}

/** What output is that begins so, in words, where it is no text; NULs alone (`find -print0`) don't make it that. */
function binaryOutput(first: Uint8Array): string | false {
  const beginning = first.subarray(0, first.length - openBytes(first));
  if (beginning.length < MIN_BINARY_BYTES || isUtf8(beginning)) return false;
  const detected = detectText(beginning);
  return (
    detected.kind === "binary" && `binary output${detected.type === undefined ? "" : `, ${detected.type}`}`
  );
}
