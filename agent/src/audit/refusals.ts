import type { MachineAuditRecord, RecordShares } from "@cmdop/proto";

/** The record of a call that was refused. */
export type RefusedRecord = Extract<MachineAuditRecord, { type: "refused" }>;

/** Time for which equal refusals are counted before they are written as one record, in milliseconds. */
const WINDOW_MS = 60_000;

/**
 * Number of equal refusals in a window that are written singly, with their request, while their key has not
 * filled its share.
 */
const WRITTEN_SINGLY = 4;

/** Kinds of refusals that are counted at the same time. Only keys that an owner has granted add to them. */
const MAX_KINDS = 1_000;

interface Kind {
  singly: number;
  /** The newest of the refusals that are only counted, with their number. */
  counted: RefusedRecord | undefined;
}

/**
 * Limits the records of refused calls: a caller who is refused again and again must not push everything else
 * out of a bounded chain. Of equal refusals (same key, method and error) in a window, all but the first few
 * become one record with a count.
 */
export class Refusals {
  readonly #shares: RecordShares;
  readonly #write: (record: RefusedRecord) => void;
  readonly #kinds = new Map<string, Kind>();
  #timer: NodeJS.Timeout | undefined;

  /** `shares`: the share of the chain that each key may fill. */
  constructor(shares: RecordShares, write: (record: RefusedRecord) => void) {
    this.#shares = shares;
    this.#write = write;
  }

  add(record: RefusedRecord): void {
    const name = `${record.door} ${record.key ?? ""} ${record.method} ${record.code}`;
    if (!this.#kinds.has(name) && this.#kinds.size >= MAX_KINDS) this.flush();
    const kind = this.#kinds.get(name) ?? { singly: 0, counted: undefined };
    this.#kinds.set(name, kind);
    this.#timer ??= setTimeout(() => this.flush(), WINDOW_MS).unref();
    const bytes = Buffer.byteLength(JSON.stringify(record));
    if (
      kind.singly < WRITTEN_SINGLY &&
      this.#shares.take(record.key ?? record.door, `refused ${record.method}`, bytes)
    ) {
      kind.singly += 1;
      this.#write(record);
      return;
    }
    // The requests differ, so the count does not describe them.
    const { what: _what, ...counted } = record;
    kind.counted = { ...counted, count: (kind.counted?.count ?? 0) + record.count };
  }

  /** Writes the refusals that were only counted so far, and begins another window. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const kinds = [...this.#kinds.values()];
    this.#kinds.clear();
    for (const { counted } of kinds) if (counted !== undefined) this.#write(counted);
  }
}
