import { mkdirSync, readdirSync } from "node:fs";
import { isErrno } from "@cmdop/kit";
import { removeDirectory } from "@cmdop/proto";
import type { Channel } from "./journal-records.ts";
import { HEADER_BYTES, MAX_RECORD_BYTES } from "./record.ts";
import { Segment } from "./segment.ts";

/** What can be told of a journal's file without a look at it. */
export interface FileFacts {
  /** The offset of the oldest byte. */
  readonly start: bigint;
  /** The offset behind the newest byte. */
  readonly end: bigint;
  /** What it takes on disk. */
  readonly bytes: number;
}

/**
 * A journal on disk: segments, the oldest first, which are dropped one by one.
 * Written through, never synced: it outlives the agent, not the power.
 */
export class JournalFile {
  readonly #directory: string;
  readonly #segmentBytes: number;
  /** Undefined in one of an earlier life, until somebody reads it. */
  #found: Segment[] | undefined;
  #facts: FileFacts;

  private constructor(
    directory: string,
    segmentBytes: number,
    found: Segment[] | undefined,
    facts: FileFacts,
  ) {
    this.#directory = directory;
    this.#segmentBytes = segmentBytes;
    this.#found = found;
    this.#facts = facts;
  }

  /** A journal without a byte yet; nothing is made before the first. `segmentBytes`: the size at which the next file is begun. */
  static create(directory: string, segmentBytes: number): JournalFile {
    return new JournalFile(directory, segmentBytes, [], { start: 0n, end: 0n, bytes: 0 });
  }

  /** A journal of an earlier life, for reading; what was not written down of it is looked up. */
  static found(directory: string, facts?: FileFacts): JournalFile {
    const segments = facts === undefined ? segmentsIn(directory) : undefined;
    return new JournalFile(directory, 0, segments, facts ?? factsOf(segments ?? []));
  }

  /** The offset of the oldest byte that is there; its end where there is none. */
  get start(): bigint {
    return this.#facts.start;
  }

  /** The offset behind the newest byte. */
  get end(): bigint {
    return this.#facts.end;
  }

  /** What it takes on disk. */
  get bytes(): number {
    return this.#facts.bytes;
  }

  /** What it takes on disk from an offset on, with an index's precision. */
  bytesFrom(offset: bigint): number {
    const segments = this.#segments;
    let bytes = 0;
    for (let at = segments.length - 1; at >= 0; at -= 1) {
      const segment = segments[at];
      if (segment === undefined) break;
      if (segment.start <= offset) {
        return offset >= segment.end ? bytes : bytes + segment.bytes - segment.placeBefore(offset).position;
      }
      bytes += segment.bytes;
    }
    return bytes;
  }

  /** Writes the bytes, or as many of them as can be written. @throws what the file system says */
  append(channel: Channel, bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; from += MAX_RECORD_BYTES) {
      this.#appendRecord(channel, bytes.subarray(from, from + MAX_RECORD_BYTES));
    }
  }

  /** Nothing more will be written. What is in the files is looked up again when somebody reads them. */
  seal(): void {
    this.#found?.at(-1)?.seal();
    this.#found = undefined;
  }

  /** Drops the oldest segment; false where it is the last, or reaches beyond `before`. */
  dropOldest(before: bigint): boolean {
    const [oldest, next] = this.#segments;
    if (oldest === undefined || next === undefined || next.start > before) return false;
    this.#found = this.#segments.slice(1);
    this.#facts = { ...this.#facts, start: next.start, bytes: this.#facts.bytes - oldest.bytes };
    oldest.remove();
    return true;
  }

  /** The segment that has an offset. */
  segmentAt(offset: bigint): Segment | undefined {
    return this.#segments.findLast(({ start }) => start <= offset);
  }

  /** The segment after another one. */
  segmentAfter(segment: Segment): Segment | undefined {
    return this.#segments.find(({ start }) => start > segment.start);
  }

  /** Deletes everything. */
  remove(): void {
    this.seal();
    this.#found = [];
    this.#facts = { start: this.end, end: this.end, bytes: 0 };
    removeDirectory(this.#directory);
  }

  #appendRecord(channel: Channel, payload: Uint8Array): void {
    this.#open().append(channel, payload);
    const { start, end, bytes } = this.#facts;
    this.#facts = {
      start,
      end: end + BigInt(payload.length),
      bytes: bytes + HEADER_BYTES + payload.length,
    };
  }

  #open(): Segment {
    const last = this.#segments.at(-1);
    if (last !== undefined && last.bytes < this.#segmentBytes) return last;
    if (last === undefined) mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const next = Segment.create(this.#directory, this.end);
    last?.seal();
    this.#segments.push(next);
    return next;
  }

  get #segments(): Segment[] {
    this.#found ??= segmentsIn(this.#directory);
    return this.#found;
  }
}

function segmentsIn(directory: string): Segment[] {
  let names: string[] = [];
  try {
    names = readdirSync(directory);
  } catch (error) {
    // Nothing was ever written.
    if (!isErrno(error, "ENOENT")) throw error;
  }
  return names
    .flatMap((name) => Segment.found(directory, name) ?? [])
    .sort((a, b) => (a.start < b.start ? -1 : 1));
}

function factsOf(segments: readonly Segment[]): FileFacts {
  const end = segments.at(-1)?.end ?? 0n;
  return {
    start: segments[0]?.start ?? end,
    end,
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
