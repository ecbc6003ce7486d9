import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  unlinkSync,
  writevSync,
} from "node:fs";
import { join } from "node:path";
import { diskError, isDiskTrouble } from "@cmdop/proto";
import type { Channel } from "./journal-records.ts";
import { damagedLengthAt, HEADER_BYTES, recordAt, recordHeader } from "./record.ts";

/** How far apart, in bytes of the file, the places are that a search can begin at. */
const INDEX_EVERY_BYTES = 64 * 1024;

const NAME = /^(\d+)\.log$/;

/** A place in a segment where a record begins. */
export interface Place {
  /** In the journal. */
  readonly offset: bigint;
  /** In the file. */
  readonly position: number;
}

/** One file of a journal: records from an offset on, one after the other. */
export class Segment {
  readonly start: bigint;
  readonly #path: string;
  #fd: number | undefined;
  #bytes = 0;
  #payloadBytes = 0;
  /** Undefined in a file of an earlier life, until it has been looked through. */
  #index: Place[] | undefined;

  private constructor(directory: string, start: bigint) {
    this.start = start;
    this.#path = join(directory, `${start}.log`);
  }

  /** A new file to append to. */
  static create(directory: string, start: bigint): Segment {
    const segment = new Segment(directory, start);
    segment.#fd = openSync(segment.#path, "ax", 0o600);
    segment.#index = [];
    return segment;
  }

  /** A file that is there; undefined where the name is none of a segment. */
  static found(directory: string, name: string): Segment | undefined {
    const start = NAME.exec(name)?.[1];
    if (start === undefined) return undefined;
    const segment = new Segment(directory, BigInt(start));
    segment.#bytes = statSync(segment.#path).size;
    return segment;
  }

  /** The offset behind the last byte. */
  get end(): bigint {
    this.#known();
    return this.start + BigInt(this.#payloadBytes);
  }

  /** The size of the file. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Writes a record, or nothing at all. @throws what the file system says */
  append(channel: Channel, payload: Uint8Array): void {
    if (this.#fd === undefined) throw new TypeError("the segment is sealed");
    const header = recordHeader(channel, payload);
    const place = { offset: this.end, position: this.#bytes };
    const recordBytes = HEADER_BYTES + payload.length;
    let written = 0;
    try {
      written = writevSync(this.#fd, [header, payload]);
      // A disk that fills up takes the first part, and only the next write says why not the rest.
      if (written < recordBytes) {
        const rest = Buffer.concat([header, payload]).subarray(written);
        written += writevSync(this.#fd, [rest]);
      }
      if (written < recordBytes) throw new Error(`only ${written} of ${recordBytes} bytes could be written`);
    } catch (error) {
      this.#takeBack(this.#fd);
      throw diskError(error, "write", this.#path);
    }
    this.#note(place);
    this.#bytes += recordBytes;
    this.#payloadBytes += payload.length;
  }

  /** A disk that failed may not even give back what it took: what was cut off counts as far as it goes, as after a crash. */
  #takeBack(fd: number): void {
    try {
      ftruncateSync(fd, this.#bytes);
    } catch (error) {
      if (!isDiskTrouble(error)) throw error;
    }
  }

  /** Nothing more will be written. */
  seal(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  remove(): void {
    this.seal();
    unlinkSync(this.#path);
  }

  /** The nearest known beginning of a record at or before an offset. */
  placeBefore(offset: bigint): Place {
    const index = this.#known();
    let low = 0;
    let high = index.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const place = index[middle];
      if (place !== undefined && place.offset <= offset) low = middle;
      else high = middle - 1;
    }
    return index[low] ?? { offset: this.start, position: 0 };
  }

  /** Bytes of the file from a position on, as many as there are up to `length`. */
  read(position: number, length: number): Buffer {
    // Opened anew each time: a reader that dawdles holds no descriptor.
    const fd = openSync(this.#path, "r");
    try {
      const block = Buffer.allocUnsafe(length);
      return block.subarray(0, readSync(fd, block, 0, length, position));
    } finally {
      closeSync(fd);
    }
  }

  /** Where the records go on behind a damaged one; undefined where that can't be known. */
  placeBehindDamage({ offset, position }: Place): Place | undefined {
    const length = damagedLengthAt(readFileSync(this.#path), position);
    if (length === undefined) return undefined;
    return { offset: offset + BigInt(length), position: position + HEADER_BYTES + length };
  }

  #note(place: Place): void {
    const last = this.#index?.at(-1);
    if (last === undefined || place.position - last.position >= INDEX_EVERY_BYTES) this.#index?.push(place);
  }

  /** Looks through a file of an earlier life, once. It ends where a crash cut it off, or where damage hides the rest. */
  #known(): readonly Place[] {
    if (this.#index !== undefined) return this.#index;
    this.#index = [];
    const file = readFileSync(this.#path);
    for (let position = 0; position < file.length; ) {
      const length = recordAt(file, position)?.payload.length ?? damagedLengthAt(file, position);
      if (length === undefined) break;
      this.#note({ offset: this.start + BigInt(this.#payloadBytes), position });
      this.#payloadBytes += length;
      position += HEADER_BYTES + length;
    }
    return this.#index;
  }
}
