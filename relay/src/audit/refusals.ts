import { methodRule, type RecordShares, type RelayRecord, visible } from "@cmdop/proto";
import { addressGroup } from "../data/address-group.ts";
import type { RefusedCall } from "../data/recorder.ts";
import type { AuditBounds } from "./bounds.ts";

/** Longest text from a stranger in a record, in characters; a machine's id is shorter. */
const MAX_WORD_CHARACTERS = 64;

/** Size of one kind of refusal in a window, in bytes: two records, the first and the count. */
const KIND_BYTES = 800;

/** Names in the shares: the holder for all strangers, and the method for refusals. */
const STRANGERS = "strangers";
const REFUSED = "refused";

/** Stands for a value that was not kept apart. */
const VARIOUS = "*";

type RefusedRecord = Extract<RelayRecord, { type: "refused" }>;

/** A count of like refusals in one window. */
interface Counted {
  readonly record: Omit<RefusedRecord, "at" | "call" | "count">;
  /** Number of refusals that are not recorded yet. */
  unwritten: number;
}

/** Options of the refusals. */
export interface RefusalsOptions {
  readonly bounds: AuditBounds;
  /** Shares of the chain for each key, and for all strangers together. */
  readonly shares: RecordShares;
  /** Writes a record; returns false if that is not possible now. */
  readonly write: (record: RefusedRecord) => boolean;
}

/**
 * Records refusals without letting anybody fill the disk with them. Of like refusals (same caller, address,
 * machine, method and code) the first in a window is written at once, the rest as one record with their
 * count. Callers that vary their refusals are counted more coarsely, and when there are too many of those, by
 * code alone. No refusal is left out of the counts.
 */
export class Refusals {
  readonly #options: RefusalsOptions;
  readonly #counted = new Map<string, Counted>();
  readonly #details = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  #ofKeys = 0;
  #ofStrangers = 0;

  constructor(options: RefusalsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.flush(), options.bounds.refusalWindowMs);
    this.#timer.unref();
  }

  note(call: RefusedCall): void {
    const record = recordOf(call);
    const who = call.key?.id ?? `address ${addressGroup(call.address)}`;
    const { refusalsEach } = this.#options.bounds;
    // A stranger's own words do not make a new kind, because they cost it nothing.
    const words = call.key === undefined ? [knownMethod(call.method)] : [record.machine, record.method];
    const exact = JSON.stringify([who, addressGroup(call.address), ...words, call.code]);
    if (this.#count(exact)) return;
    const details = this.#details.get(who) ?? 0;
    if (details < refusalsEach && this.#takeRoom(call)) {
      this.#details.set(who, details + 1);
      this.#begin(exact, record);
      return;
    }
    const coarse = JSON.stringify([who, call.code]);
    if (this.#count(coarse)) return;
    if (this.#takeRoom(call)) {
      this.#begin(coarse, { ...record, machine: null, method: VARIOUS });
      return;
    }
    const byCode = JSON.stringify([call.code]);
    if (this.#count(byCode)) return;
    const nobody = { key: null, keyName: "", address: VARIOUS, machine: null, method: VARIOUS };
    this.#begin(byCode, { ...record, ...nobody });
  }

  /** Ends the window: writes the counts. */
  flush(): void {
    const unwritten = [...this.#counted].filter(([_kind, counted]) => !this.#write(counted));
    this.#counted.clear();
    this.#details.clear();
    this.#ofKeys = 0;
    this.#ofStrangers = 0;
    // Counts that could not be written go on, and keep their room.
    for (const [kind, counted] of unwritten) {
      this.#counted.set(kind, counted);
      if (counted.record.key === null) this.#ofStrangers += 1;
      else this.#ofKeys += 1;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
  }

  #count(kind: string): boolean {
    const counted = this.#counted.get(kind);
    if (counted !== undefined) counted.unwritten += 1;
    return counted !== undefined;
  }

  #takeRoom({ key }: RefusedCall): boolean {
    const { refusalsOfKeys, refusalsOfStrangers } = this.#options.bounds;
    if (key === undefined ? this.#ofStrangers >= refusalsOfStrangers : this.#ofKeys >= refusalsOfKeys)
      return false;
    if (!this.#options.shares.take(key?.id ?? STRANGERS, REFUSED, KIND_BYTES)) return false;
    if (key === undefined) this.#ofStrangers += 1;
    else this.#ofKeys += 1;
    return true;
  }

  #begin(kind: string, record: Counted["record"]): void {
    const counted = { record, unwritten: 1 };
    this.#counted.set(kind, counted);
    this.#write(counted);
  }

  #write(counted: Counted): boolean {
    if (counted.unwritten === 0) return true;
    const record = { ...counted.record, at: Date.now(), call: crypto.randomUUID(), count: counted.unwritten };
    if (!this.#options.write(record)) return false;
    counted.unwritten = 0;
    return true;
  }
}

function recordOf({ key, address, method, machine, code }: RefusedCall): Counted["record"] {
  return {
    type: "refused",
    key: key?.id ?? null,
    keyName: key?.name ?? "",
    address,
    machine: machine === undefined ? null : word(machine),
    method: methodRule(method) === undefined ? word(method) : method,
    code,
  };
}

/** Returns the method if it exists; else null. */
function knownMethod(method: string): string | null {
  return methodRule(method) === undefined ? null : method;
}

function word(said: string): string {
  return visible(said.slice(0, MAX_WORD_CHARACTERS));
}
