import { OUTPUT_CHUNK_BYTES } from "@cmdop/proto";

/** Where a byte of output came from; `events` are a run's, a line of JSON each. */
export type Channel = "stdout" | "stderr" | "events";

/** What a record costs besides its bytes (object, buffer, backing store): one-byte records must not be free. */
const RECORD_OVERHEAD_BYTES = 256;

/** Dropped records are taken out of the array in batches of at least this many: one by one would copy it each time. */
const COMPACT_RECORDS = 1024;

const NOTHING = new Uint8Array();

interface JournalRecord {
  readonly channel: Channel;
  /** Payload bytes of all channels before this record. */
  readonly offset: bigint;
  /** What all records before this one cost. */
  readonly costBefore: number;
  /** May have room behind `length`, which is only ever filled, never written again: views stay valid. */
  bytes: Uint8Array;
  length: number;
}

/**
 * The newest records of a journal, in memory, oldest first. Small writes to the same
 * channel are joined, so that many of them cost no more than their bytes.
 */
export class JournalRecords {
  #records: JournalRecord[] = [];
  #head = 0;
  #end = 0n;
  #cost = 0;
  #droppedCost = 0;

  /** The offset of the oldest byte that is held. */
  get start(): bigint {
    return this.#records[this.#head]?.offset ?? this.#end;
  }

  /** The offset behind the newest byte. */
  get end(): bigint {
    return this.#end;
  }

  /** Memory that the records take, in bytes. */
  get heldBytes(): number {
    return this.#cost - this.#droppedCost;
  }

  /** Memory that the records from an offset on take, in bytes. */
  heldBytesFrom(offset: bigint): number {
    if (offset >= this.#end) return 0;
    return this.#cost - (this.#find(offset)?.costBefore ?? this.#droppedCost);
  }

  /** Begins at an offset other than 0; only while there is nothing yet. */
  skipTo(offset: bigint): void {
    this.#end = offset;
  }

  append(channel: Channel, bytes: Uint8Array): void {
    const tail = this.#records.at(-1);
    if (tail?.channel === channel && tail.length + bytes.length <= OUTPUT_CHUNK_BYTES) {
      this.#extend(tail, bytes);
    } else {
      this.#records.push({
        channel,
        offset: this.#end,
        costBefore: this.#cost,
        bytes,
        length: bytes.length,
      });
      this.#cost += RECORD_OVERHEAD_BYTES + bytes.length;
    }
    this.#end += BigInt(bytes.length);
  }

  /** The bytes from an offset to the end of its record; undefined where the offset is not held. */
  at(offset: bigint): { channel: Channel; bytes: Uint8Array } | undefined {
    const record = this.#find(offset);
    if (record === undefined) return undefined;
    return {
      channel: record.channel,
      bytes: record.bytes.subarray(Number(offset - record.offset), record.length),
    };
  }

  /** Drops the oldest record; false where there is none, or where it reaches beyond `before`. */
  dropOldest(before: bigint): boolean {
    const oldest = this.#records[this.#head];
    if (oldest === undefined || oldest.offset + BigInt(oldest.length) > before) return false;
    this.#droppedCost += RECORD_OVERHEAD_BYTES + oldest.bytes.length;
    // The bytes go now, their place in the array with the next batch.
    oldest.bytes = NOTHING;
    this.#head += 1;
    if (this.#head >= COMPACT_RECORDS || this.#head === this.#records.length) {
      this.#records = this.#records.slice(this.#head);
      this.#head = 0;
    }
    return true;
  }

  #extend(tail: JournalRecord, bytes: Uint8Array): void {
    const length = tail.length + bytes.length;
    if (length > tail.bytes.length) {
      const grown = new Uint8Array(Math.min(OUTPUT_CHUNK_BYTES, 2 * length));
      grown.set(tail.bytes.subarray(0, tail.length));
      this.#cost += grown.length - tail.bytes.length;
      tail.bytes = grown;
    }
    tail.bytes.set(bytes, tail.length);
    tail.length = length;
  }

  #find(offset: bigint): JournalRecord | undefined {
    if (offset < this.start || offset >= this.#end) return undefined;
    let low = this.#head;
    let high = this.#records.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const record = this.#records[middle];
      if (record !== undefined && record.offset <= offset) low = middle;
      else high = middle - 1;
    }
    return this.#records[low];
  }
}
