import { BoundedMap } from "@cmdop/kit";
import type { AnyAuditRecord, RelayRecord } from "@cmdop/proto";
import { MAX_CALLS } from "../data/limits.ts";
import type { View } from "./view.ts";

/** Calls whose end is still to come: twice as many as can be open, since some never have one. 100 bytes each. */
const MAX_AWAITED = 2 * MAX_CALLS;

/** Which records are asked for. */
export interface Condition {
  readonly machineId: string | undefined;
  readonly keyId: string | undefined;
  /** Milliseconds since 1970. */
  readonly sinceMs: number;
  readonly untilMs: number;
}

/**
 * Picks the records of one chain. They must be shown to it in their order: an
 * end names only its call, so where not all are asked for it goes by its begin.
 */
export class RecordFilter {
  /** What the caller may see now. */
  readonly #view: () => View;
  readonly #condition: Condition;
  /** Of a machine's chain, its id. */
  readonly #machineId: string | undefined;
  readonly #awaited = new BoundedMap<string, true>(MAX_AWAITED);

  constructor(view: () => View, condition: Condition, machineId: string | undefined) {
    this.#view = view;
    this.#condition = condition;
    this.#machineId = machineId;
  }

  /** Whether any record of this chain can match. */
  get mayMatch(): boolean {
    const { machineId } = this.#condition;
    return this.#machineId === undefined || machineId === undefined || machineId === this.#machineId;
  }

  /** `record`: undefined for one that nobody here can read; then only its chain counts. */
  matches(record: AnyAuditRecord | undefined): boolean {
    if (record === undefined) return this.#condition.keyId === undefined;
    const isMatch = this.#isMatch(record);
    const { sinceMs, untilMs } = this.#condition;
    return isMatch && record.at >= sinceMs && record.at < untilMs;
  }

  /** Whether every record of this chain is asked for and may be seen: then also an end whose begin is there no longer. */
  get #wantsAll(): boolean {
    const { keyId, machineId } = this.#condition;
    if (keyId !== undefined) return false;
    return this.#machineId !== undefined || (machineId === undefined && this.#view().seesAll);
  }

  #isMatch(record: AnyAuditRecord): boolean {
    // What is open when its maker starts anew, has no end.
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

  /** Whether the record is of a machine that is asked for and may be seen. */
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

/** Records that both chains may have look alike; these say where the call went. */
function isRelayRecord(
  record: Exclude<AnyAuditRecord, { type: "end" }>,
): record is Exclude<RelayRecord, { type: "end" }> {
  return record.type === "started" || record.type === "clock" || "machine" in record;
}
