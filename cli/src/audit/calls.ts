import { BoundedMap } from "@cmdop/kit";
import type { AnyAuditRecord } from "@cmdop/proto";
import type { AuditEntry } from "@cmdop/sdk";
import { isoTime } from "../console/time.ts";
import { type AuditRow, auditRow, type KnownCall, shortDuration } from "./call-row.ts";
import { eventRow } from "./event-row.ts";

/**
 * Most calls that wait for their end before they are printed. A begin and an end close together become one
 * line.
 */
const MAX_HELD_CALLS = 256;

/** Most calls and jobs that are remembered, so that their ends can be described; the oldest are forgotten. */
const MAX_REMEMBERED = 10_000;

/**
 * A call that has begun. Relay and machine each have a chain, so each may have recorded a begin and an end.
 */
interface Open extends KnownCall {
  /** Chains that have recorded its begin, but not its end. */
  readonly begun: Set<string>;
  /** Chains that have recorded its end. Clocks differ, so the begin may come later. */
  readonly ended: Set<string>;
  end: string | undefined;
  /** Time of its first record, in milliseconds by the monotonic clock. */
  readonly cameMs: number;
  /** True if it is printed, perhaps without its end. */
  isPrinted: boolean;
  /** True if its end is printed too. */
  isTold: boolean;
}

/**
 * Converts records to lines: one a call if begin and end are close together, else one for each. Holds a
 * bounded number of calls and writes them in the order in which they began.
 */
export class AuditCalls {
  readonly #write: (row: AuditRow) => void;
  readonly #machineName: (id: string) => string;
  /** Calls that are not printed yet. */
  readonly #held = new BoundedMap<string, Open>(MAX_HELD_CALLS, (id, call) => this.#print(id, call, "begun"));
  /** All known calls, held or printed. */
  readonly #known = new BoundedMap<string, Open>(MAX_REMEMBERED);
  readonly #jobs = new BoundedMap<string, string>(MAX_REMEMBERED);

  constructor(write: (row: AuditRow) => void, machineName: (id: string) => string) {
    this.#write = write;
    this.#machineName = machineName;
  }

  add(entry: AuditEntry): void {
    const { record } = entry;
    if (record === null) this.#passOn(entry, `? a record that this version does not know: ${entry.raw}`);
    else if (record.type === "begin") this.#begin(entry, record);
    else if (record.type === "end") this.#end(entry, record);
    else if (record.type === "started") this.#started(entry, record.at);
    else this.#event(entry, record);
  }

  /** Prints calls that have been held for at least `heldForMs`, as running if their end has not come. */
  flush(heldForMs = 0): void {
    for (const [id, call] of this.#held) {
      if (performance.now() - call.cameMs < heldForMs) return;
      this.#print(id, call, "running");
    }
  }

  #begin({ chain, machineId }: AuditEntry, record: Extract<AnyAuditRecord, { type: "begin" }>): void {
    const { call: id, at, key, keyName, method } = record;
    const known = this.#known.get(id);
    const call: Open = known ?? {
      at,
      key,
      keyName,
      machine: machineId === null ? "" : this.#machineName(machineId),
      method,
      what: "",
      begun: new Set(),
      ended: new Set(),
      end: undefined,
      cameMs: performance.now(),
      isPrinted: false,
      isTold: false,
    };
    if (!call.ended.has(chain)) call.begun.add(chain);
    if ("machineName" in record && record.machineName !== "") call.machine = record.machineName;
    if ("what" in record && record.what !== undefined) call.what = record.what;
    if ("job" in record && record.job !== undefined) this.#jobs.set(record.job, call.what);
    if (known !== undefined) {
      // The machine's record came late: its clock differs, or the relay had to wait for its records.
      if (call.isPrinted && "what" in record) this.#write(auditRow(call, at, "was"));
      return;
    }
    this.#known.set(id, call);
    this.#held.set(id, call);
  }

  #end({ chain }: AuditEntry, record: Extract<AnyAuditRecord, { type: "end" }>): void {
    const call = this.#known.get(record.call);
    const end = `${record.code}, ${shortDuration(record.ms)}`;
    if (call === undefined) {
      // Its begin is before the requested time.
      this.#printDue();
      this.#write(auditRow({ ...NOBODY, what: `call ${record.call}` }, record.at, end));
      return;
    }
    call.begun.delete(chain);
    call.ended.add(chain);
    // The first record of an error describes it best; the relay's end is that of the whole call.
    if (call.end === undefined || call.end.startsWith("Ok")) call.end = end;
    if (call.isPrinted && call.begun.size === 0) this.#tell(call, record.at);
  }

  /** Marks open calls as unknown, because a relay or agent that restarts has lost their ends. */
  #started(entry: AuditEntry, at: number): void {
    for (const call of this.#known.values()) {
      if (!call.begun.delete(entry.chain) || call.begun.size > 0 || call.end !== undefined) continue;
      call.end = "unknown";
      if (call.isPrinted) this.#tell(call, at);
    }
    this.#passOn(entry);
  }

  #event(entry: AuditEntry, record: AnyAuditRecord): void {
    const jobWhat = record.type === "job" ? this.#jobs.get(record.job) : undefined;
    const callWhat = record.type === "approval" ? this.#known.get(record.call)?.what : undefined;
    this.#passOn(entry, jobWhat ?? callWhat);
  }

  #passOn(entry: AuditEntry, what = ""): void {
    this.#printDue();
    const machine = entry.machineId === null ? "" : this.#machineName(entry.machineId);
    const row =
      entry.record === null
        ? auditRow({ ...NOBODY, machine, what }, Number.NaN, "?")
        : eventRow(entry.record, machine, what);
    if (row !== undefined) this.#write(row);
  }

  /** Prints the first calls in the order as far as they have ended. */
  #printDue(): void {
    for (const [id, call] of this.#held) {
      if (call.begun.size > 0 || call.end === undefined) return;
      this.#print(id, call, "");
    }
  }

  #print(id: string, call: Open, without: string): void {
    this.#held.delete(id);
    call.isPrinted = true;
    call.isTold = call.begun.size === 0 && call.end !== undefined;
    this.#write(auditRow(call, call.at, call.isTold ? (call.end ?? without) : without));
  }

  /** Prints the end of a call that was printed without it. */
  #tell(call: Open, at: number): void {
    if (call.isTold || call.end === undefined) return;
    call.isTold = true;
    const what = [call.what, `begun ${isoTime(call.at)}`].filter((part) => part !== "").join("; ");
    this.#write(auditRow({ ...call, what }, at, call.end));
  }
}

/** Values for a line without a known call. */
const NOBODY = { key: null, keyName: "", machine: "", method: "-", what: "" };
