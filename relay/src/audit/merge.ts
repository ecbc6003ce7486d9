import { type ChainLog, CmdopError, readAuditRecord } from "@cmdop/proto";
import type { RecordFilter } from "./record-filter.ts";
import type { Turns } from "./turns.ts";

/** What one merge holds of all its chains together, in bytes. */
export const MERGE_BYTES = 8 * 1024 * 1024;

/** What it looks at of one chain at a time, and so holds of it, in bytes: at most some milliseconds of the relay's thread, at least the longest record. */
const MAX_SHARE_BYTES = 64 * 1024;
const MIN_SHARE_BYTES = 16 * 1024;

/** Which chain is read. */
export interface MergeSource {
  readonly chain: string;
  /** Undefined for the relay's own. */
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

/** A record that waits for its turn. */
interface Waiting extends MergedRecord {
  /** By the clock of its maker. Where that went back, the record is due at once: it never comes before the one in front of it. */
  readonly atMs: number;
}

/** Where a merge is in one chain. */
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

  /** Whether there are records that it has not looked at. */
  get isBehind(): boolean {
    return this.#after < this.source.log().head.seq;
  }

  /** Looks at some more records, and keeps those that match. @throws CmdopError AuditBroken */
  fill(shareBytes: number): void {
    const { source } = this;
    let bytes = 0;
    for (const { firstSeq, records } of source.log().read(this.#after)) {
      for (const [at, body] of records.entries()) {
        const seq = firstSeq + at;
        this.#after = seq;
        bytes += body.length;
        const record = readAuditRecord(body, source.machineId === undefined ? "relay" : "machine");
        // A copy of its own: a slice would hold on to all that was read with it.
        if (source.filter.matches(record)) {
          this.#waiting.push({ source, seq, body: Uint8Array.from(body), atMs: record?.at ?? 0 });
        }
        if (bytes >= shareBytes) return;
      }
    }
    // What retention has dropped meanwhile is not waited for.
    if (bytes === 0) this.#after = source.log().head.seq;
  }
}

/**
 * The records of many chains that match, up to where the chains end now, the
 * oldest first. A chain whose files are damaged ends there; the others come
 * first, then that is thrown. `pause` runs now and then and may throw; chains are
 * looked at in turns with whoever reads them too.
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
