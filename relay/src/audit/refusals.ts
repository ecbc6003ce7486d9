import { methodRule, type RecordShares, type RelayRecord, visible } from "@cmdop/proto";
import { addressGroup } from "../data/address-group.ts";
import type { RefusedCall } from "../data/recorder.ts";
import type { AuditBounds } from "./bounds.ts";

/** What a stranger may have written down of its own words, in characters: a machine's id is shorter. */
const MAX_WORD_CHARACTERS = 64;

/** What one kind of refusals takes in the chain in a window, in bytes: two records, the first and the count. */
const KIND_BYTES = 800;

/** Whose share it is that strangers' refusals fill, and under which name refusals are in a share. */
const STRANGERS = "strangers";
const REFUSED = "refused";

/** In the place of what was not kept apart. */
const VARIOUS = "*";

type RefusedRecord = Extract<RelayRecord, { type: "refused" }>;

/** Like refusals of one window. */
interface Counted {
  readonly record: Omit<RefusedRecord, "at" | "call" | "count">;
  /** Those that no record speaks of yet. */
  unwritten: number;
}

/** What the merger needs. */
export interface RefusalsOptions {
  readonly bounds: AuditBounds;
  /** What of the chain each key, and all strangers together, may fill. */
  readonly shares: RecordShares;
  /** Writes a record down; false where that can't be done now. */
  readonly write: (record: RefusedRecord) => boolean;
}

/**
 * Writes refusals down without letting anybody fill the disk by them: of like
 * ones (same caller, address, machine, method and code) the first of a window
 * is written at once, the rest as one record with their count. Whoever varies
 * what it does is counted more coarsely, and when there are too many of those,
 * by code alone: nothing is left out of the counts.
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
    // A stranger's words make no kind of their own: they cost it nothing.
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

  /** Ends the window: writes what was only counted. */
  flush(): void {
    const unwritten = [...this.#counted].filter(([_kind, counted]) => !this.#write(counted));
    this.#counted.clear();
    this.#details.clear();
    this.#ofKeys = 0;
    this.#ofStrangers = 0;
    // What could not be written down is counted on; it takes its room with it.
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

/** The method, where there is such a one. */
function knownMethod(method: string): string | null {
  return methodRule(method) === undefined ? null : method;
}

function word(said: string): string {
  return visible(said.slice(0, MAX_WORD_CHARACTERS));
}
