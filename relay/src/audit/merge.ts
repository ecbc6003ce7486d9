import { type ChainLog, CmdopError, readAuditRecord } from "@cmdop/proto";
import type { RecordFilter } from "./record-filter.ts";
import type { Turns } from "./turns.ts";

/** Memory of one merge for all its chains together, in bytes. */
export const MERGE_BYTES = 8 * 1024 * 1024;

/**
 * Bytes that a merge reads of one chain at a time, and so holds of it: at most some milliseconds of the
 * relay's thread, at least the longest record.
 */
const MAX_SHARE_BYTES = 64 * 1024;
const MIN_SHARE_BYTES = 16 * 1024;

/** A chain that is read. */
export interface MergeSource {
  readonly chain: string;
  /** The machine's id; undefined for the relay's own chain. */
  readonly machineId: string | undefined;
  readonly log: () => ChainLog;
  readonly filter: RecordFilter;
}

/** One record that matched. */
export interface MergedRecord {
  readonly source: MergeSource;
  readonly seq: number;
  readonly body: Uint8Array;
}

/** A matching record that waits for its turn. */
interface Waiting extends MergedRecord {
  /**
   * Time by the clock of its maker. If that clock went back, the record is due at once, as it never comes
   * before the one in front of it.
   */
  readonly atMs: number;
}

/** The position of a merge in one chain. */
export class Cursor {
  readonly source: MergeSource;
  readonly #waiting: Waiting[] = [];
  #after = 0;

  constructor(source: MergeSource) {
    this.source = source;
  }

  /** The next record, without taking it. */
  get next(): Waiting | undefined {
    return this.#waiting[0];
  }

  take(): void {
    this.#waiting.shift();
  }

  /** True if there are records that it has not read. */
  get isBehind(): boolean {
    return this.#after < this.source.log().head.seq;
  }

  /** Reads some more records, and keeps those that match. @throws CmdopError AuditBroken */
  fill(shareBytes: number): void {
    const { source } = this;
    let bytes = 0;
    for (const { firstSeq, records } of source.log().read(this.#after)) {
      for (const [at, body] of records.entries()) {
        const seq = firstSeq + at;
        this.#after = seq;
        bytes += body.length;
        const record = readAuditRecord(body, source.machineId === undefined ? "relay" : "machine");
        // The record is copied, because a slice would keep the whole read buffer in memory.
        if (source.filter.matches(record)) {
          this.#waiting.push({ source, seq, body: Uint8Array.from(body), atMs: record?.at ?? 0 });
        }
        if (bytes >= shareBytes) return;
      }
    }
    // Records that retention has dropped meanwhile are skipped.
    if (bytes === 0) this.#after = source.log().head.seq;
  }
}

/**
 * Yields the matching records of many chains, up to their present ends, the oldest first. A chain with
 * damaged files ends there; the others are read first, then the error is thrown. `pause` runs now and then
 * and may throw. `turns` lets several readers read chains by turns.
 */
export async function* merged(
  cursors: readonly Cursor[],
  pause: () => Promise<void>,
  turns: Turns,
): AsyncGenerator<MergedRecord> {
  const share = Math.min(
    MAX_SHARE_BYTES,
    Math.max(MIN_SHARE_BYTES, Math.floor(MERGE_BYTES / cursors.length)),
  );
  const ends = new Map<Cursor, number>();
  let broken: CmdopError | undefined;
  for (const cursor of cursors) {
    try {
      ends.set(cursor, cursor.source.log().head.seq);
    } catch (thrown) {
      broken = CmdopError.from(thrown);
    }
  }
  const going = new Set(ends.keys());
  while (going.size > 0) {
    let oldest: Cursor | undefined;
    for (const cursor of going) {
      while (cursor.next === undefined && cursor.isBehind && going.has(cursor)) {
        try {
          await turns.take(() => cursor.fill(share));
        } catch (thrown) {
          broken = CmdopError.from(thrown);
          going.delete(cursor);
        }
        await pause();
      }
      const next = cursor.next;
      if (next === undefined || next.seq > (ends.get(cursor) ?? 0)) going.delete(cursor);
      else if (oldest?.next === undefined || next.atMs < oldest.next.atMs) oldest = cursor;
    }
    const record = oldest?.next;
    if (oldest === undefined || record === undefined) continue;
    oldest.take();
    yield record;
  }
  if (broken !== undefined) throw broken;
}
