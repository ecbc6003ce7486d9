import { OUTPUT_CHUNK_BYTES } from "@cmdop/proto";
import type { JournalFile } from "./journal-file.ts";
import type { Channel } from "./journal-records.ts";
import { HEADER_BYTES, MAX_RECORD_BYTES, recordAt, type StoredRecord } from "./record.ts";
import type { Place, Segment } from "./segment.ts";

/** What is read from the file at a time, and kept while its records are handed out: a whole record, and no more for a slow reader to hold. */
const BLOCK_BYTES = HEADER_BYTES + MAX_RECORD_BYTES;

const NOTHING = Buffer.alloc(0);

/** Bytes of one channel. */
export interface Piece {
  readonly channel: Channel;
  readonly bytes: Uint8Array;
}

/** Bytes that can't be believed. */
export interface Damage {
  /** The offset where what is good goes on. */
  readonly damagedTo: bigint;
}

/** One reader's place in a journal's file. What it hands out has been checked. */
export class FileReader {
  readonly #file: JournalFile;
  #segment: Segment | undefined;
  /** In the journal: where the next piece begins. */
  #offset = -1n;
  /** The record there; behind it where damage is in between. */
  #place: Place = { offset: 0n, position: 0 };
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
  read(offset: bigint): Piece | Damage | undefined {
    if (offset !== this.#offset && !this.#seek(offset)) return undefined;
    if (this.#place.offset <= offset) {
      const piece = this.#join();
      if (piece !== undefined) return piece;
      if (!this.#pass()) return undefined;
    }
    if (this.#place.offset <= offset) return this.#join();
    this.#offset = this.#place.offset;
    return { damagedTo: this.#offset };
  }

  /** From inside the record at the place on, as far as the block goes. */
  #join(): Piece | undefined {
    const parts: Buffer[] = [];
    let channel: Channel | undefined;
    let size = 0;
    for (let mayLoad = true; size < OUTPUT_CHUNK_BYTES; mayLoad = false) {
      const record = this.#record(mayLoad);
      if (record === undefined || (channel !== undefined && record.channel !== channel)) break;
      const from = Number(this.#offset - this.#place.offset);
      if (from >= record.payload.length) break;
      channel = record.channel;
      const bytes = record.payload.subarray(from, from + OUTPUT_CHUNK_BYTES - size);
      size += bytes.length;
      parts.push(bytes);
      this.#offset += BigInt(bytes.length);
      if (from + bytes.length === record.payload.length) this.#goBehind(record);
    }
    const [first] = parts;
    if (channel === undefined || first === undefined) return undefined;
    return { channel, bytes: parts.length === 1 ? first : Buffer.concat(parts) };
  }

  /** The record at the place; undefined at the segment's end, where it is damaged, or where only another block would tell. */
  #record(mayLoad: boolean): StoredRecord | undefined {
    const { position } = this.#place;
    const found = recordAt(this.#block, position - this.#blockPosition);
    if (found !== undefined || !mayLoad || this.#segment === undefined) return found;
    this.#block = this.#segment.read(position, BLOCK_BYTES);
    this.#blockPosition = position;
    return recordAt(this.#block, 0);
  }

  /** Goes on where there is no good record: behind a damaged one, or in the next segment. False where nothing follows. */
  #pass(): boolean {
    const segment = this.#segment;
    if (segment === undefined) return false;
    const isAtEnd = this.#place.position >= segment.bytes;
    const behind = isAtEnd ? undefined : segment.placeBehindDamage(this.#place);
    if (behind !== undefined) {
      this.#place = behind;
      return true;
    }
    const next = this.#file.segmentAfter(segment);
    if (next !== undefined) {
      this.#enter(next, { offset: next.start, position: 0 });
      return next.start > this.#offset || this.#record(true) !== undefined || this.#pass();
    }
    const isDamaged = this.#file.end > this.#place.offset;
    if (isDamaged) this.#place = { offset: this.#file.end, position: segment.bytes };
    return isDamaged;
  }

  #goBehind({ payload }: StoredRecord): void {
    const { offset, position } = this.#place;
    this.#place = {
      offset: offset + BigInt(payload.length),
      position: position + HEADER_BYTES + payload.length,
    };
  }

  #enter(segment: Segment, place: Place): void {
    this.#segment = segment;
    this.#place = place;
    this.#block = NOTHING;
    this.#blockPosition = place.position;
  }

  /** Stands in the record that has the offset, or behind the damage that hides it. */
  #seek(offset: bigint): boolean {
    const segment = this.#file.segmentAt(offset);
    if (segment === undefined || offset >= this.#file.end) return false;
    this.#enter(segment, segment.placeBefore(offset));
    this.#offset = offset;
    while (this.#place.offset < offset) {
      const record = this.#record(true);
      if (record === undefined) {
        if (!this.#pass()) return false;
      } else if (this.#place.offset + BigInt(record.payload.length) > offset) return true;
      else this.#goBehind(record);
    }
    return true;
  }
}
