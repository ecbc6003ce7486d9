import { BoundedMap } from "@cmdop/kit";
import type { AnyAuditRecord, RelayRecord } from "@cmdop/proto";
import { MAX_CALLS } from "../data/limits.ts";
import type { View } from "./view.ts";

/**
 * Most calls whose end is still to come: twice the number of open calls, since some never end. Each takes 100
 * bytes.
 */
const MAX_AWAITED = 2 * MAX_CALLS;

/** The conditions of a query. */
export interface Condition {
  readonly machineId: string | undefined;
  readonly keyId: string | undefined;
  /** Start and end of the time range, in milliseconds since 1970. */
  readonly sinceMs: number;
  readonly untilMs: number;
}

/**
 * Selects the records of one chain. They must be passed to it in order: the record of an end names only its
 * call, so it is selected with its begin, unless all records are.
 */
export class RecordFilter {
  /** Returns the caller's present view. */
  readonly #view: () => View;
  readonly #condition: Condition;
  /** The machine's id, for a machine's chain. */
  readonly #machineId: string | undefined;
  readonly #awaited = new BoundedMap<string, true>(MAX_AWAITED);

  constructor(view: () => View, condition: Condition, machineId: string | undefined) {
    this.#view = view;
    this.#condition = condition;
    this.#machineId = machineId;
  }

  /** True if any record of this chain can match. */
  get mayMatch(): boolean {
    const { machineId } = this.#condition;
    return this.#machineId === undefined || machineId === undefined || machineId === this.#machineId;
  }

  /**
   * Returns true if a record matches. `record` is undefined for one that this version can't read; then only
   * its chain counts.
   */
  matches(record: AnyAuditRecord | undefined): boolean {
    if (record === undefined) return this.#condition.keyId === undefined;
    const isMatch = this.#isMatch(record);
    const { sinceMs, untilMs } = this.#condition;
    return isMatch && record.at >= sinceMs && record.at < untilMs;
  }

  /**
   * True if every record of this chain is requested and visible. Then an end is selected even if its begin is
   * gone.
   */
  get #wantsAll(): boolean {
    const { keyId, machineId } = this.#condition;
    if (keyId !== undefined) return false;
    return this.#machineId !== undefined || (machineId === undefined && this.#view().seesAll);
  }

  #isMatch(record: AnyAuditRecord): boolean {
    // Calls that are open when their maker restarts never get an end.
    if (record.type === "started") this.#awaited.clear();
    if (record.type === "end") return this.#awaited.delete(record.call) || this.#wantsAll;
    const isMatch = this.#isAskedFor(record);
    if (isMatch && record.type === "begin") this.#awaited.set(record.call, true);
    return isMatch;
  }

  #isAskedFor(record: Exclude<AnyAuditRecord, { type: "end" }>): boolean {
    const { keyId } = this.#condition;
    if (!this.#isOfMachine(record)) return false;
    if (keyId === undefined) return true;
    if (record.type === "approval") return record.by === keyId || this.#awaited.has(record.call);
    return "key" in record && record.key === keyId;
  }

  /** Returns true if the record concerns a machine that is requested and visible. */
  #isOfMachine(record: Exclude<AnyAuditRecord, { type: "end" }>): boolean {
    if (this.#machineId !== undefined || !isRelayRecord(record)) return this.#machineId !== undefined;
    if (!this.#view().seesRelayRecord(record)) return false;
    const { machineId } = this.#condition;
    if (machineId === undefined) return true;
    if (record.type === "started" || record.type === "clock") return false;
    if (record.type === "refused" && record.machine === this.#view().nameOf(machineId)) return true;
    return record.machine === machineId;
  }
}

/**
 * Returns true for a record of the relay's chain. Records of both kinds look alike, but only the relay's name
 * the call's machine.
 */
function isRelayRecord(
  record: Exclude<AnyAuditRecord, { type: "end" }>,
): record is Exclude<RelayRecord, { type: "end" }> {
  return record.type === "started" || record.type === "clock" || "machine" in record;
}
