import { OUTPUT_CHUNK_BYTES } from "@cmdop/proto";
import type { JournalFile } from "./journal-file.ts";
import type { Channel } from "./journal-records.ts";
import { HEADER_BYTES, recordChannel, recordLength, type Segment } from "./segment.ts";

/** What is read from the file at a time, and kept while its records are handed out: a whole event, and no more for a slow reader to hold. */
const BLOCK_BYTES = HEADER_BYTES + OUTPUT_CHUNK_BYTES;

const NOTHING = Buffer.alloc(0);

/** Bytes of one channel. */
export interface Piece {
  readonly channel: Channel;
  readonly bytes: Uint8Array;
}

/** One reader's place in a journal's file. */
export class FileReader {
  readonly #file: JournalFile;
  #segment: Segment | undefined;
  /** In the journal: where the next piece begins. */
  #offset = -1n;
  /** In the segment's file: the same. */
  #position = 0;
  /** What is left of the record there. */
  #left = 0;
  #channel: Channel = "stdout";
  #block: Buffer = NOTHING;
  #blockPosition = 0;

  constructor(file: JournalFile) {
    this.#file = file;
  }

  /**
   * The bytes from an offset on that are there at once: one channel's, small
   * records joined. Undefined where the file does not have that offset.
   * @throws what the file system says
   */
  read(offset: bigint): Piece | undefined {
    if (offset !== this.#offset && !this.#seek(offset)) return undefined;
    const parts: Buffer[] = [];
    let channel: Channel | undefined;
    let size = 0;
    while (size < OUTPUT_CHUNK_BYTES && this.#atRecord(parts.length === 0)) {
      if (channel !== undefined && this.#channel !== channel) break;
      const bytes = this.#take(Math.min(this.#left, OUTPUT_CHUNK_BYTES - size), parts.length === 0);
      if (bytes.length === 0) break;
      channel = this.#channel;
      size += bytes.length;
      parts.push(bytes);
    }
    this.#offset += BigInt(size);
    const [first] = parts;
    if (channel === undefined || first === undefined) return undefined;
    return { channel, bytes: parts.length === 1 ? first : Buffer.concat(parts) };
  }

  /** Stands inside a record, or before one that it has looked at; false at the end, or where only another block would tell. */
  #atRecord(mayLoad: boolean): boolean {
    while (this.#left === 0) {
      const header = this.#peek(HEADER_BYTES, mayLoad);
      if (header.length < HEADER_BYTES) {
        const next = mayLoad && this.#segment && this.#file.segmentAfter(this.#segment);
        if (!next) return false;
        this.#enter(next, 0);
        continue;
      }
      this.#channel = recordChannel(header, 0);
      this.#left = recordLength(header, 0);
      this.#position += HEADER_BYTES;
    }
    return true;
  }

  #take(count: number, mayLoad: boolean): Buffer {
    const bytes = this.#peek(count, mayLoad);
    this.#position += bytes.length;
    this.#left -= bytes.length;
    return bytes;
  }

  /** Up to `count` bytes at the present position, as far as the block has them. A header is never cut. */
  #peek(count: number, mayLoad: boolean): Buffer {
    const from = this.#position - this.#blockPosition;
    const there = this.#block.length - from;
    const enough = there >= Math.min(count, HEADER_BYTES);
    if (!enough && mayLoad && this.#segment !== undefined) {
      this.#block = this.#segment.read(this.#position, BLOCK_BYTES);
      this.#blockPosition = this.#position;
      return this.#block.subarray(0, count);
    }
    return there > 0 ? this.#block.subarray(from, from + count) : NOTHING;
  }

  #enter(segment: Segment, position: number): void {
    this.#segment = segment;
    this.#position = position;
    this.#left = 0;
    this.#block = NOTHING;
    this.#blockPosition = position;
  }

  #seek(offset: bigint): boolean {
    const segment = this.#file.segmentAt(offset);
    if (segment === undefined || offset >= segment.end) return false;
    const place = segment.placeBefore(offset);
    this.#enter(segment, place.position);
    let at = place.offset;
    while (this.#atRecord(true)) {
      const skip = Math.min(this.#left, Number(offset - at));
      at += BigInt(skip);
      this.#position += skip;
      this.#left -= skip;
      if (at < offset) continue;
      this.#offset = offset;
      return true;
    }
    return false;
  }
}
