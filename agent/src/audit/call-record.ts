import {
  type Arrival,
  type CallTotals,
  type CountedCalls,
  type CountedEnd,
  type ErrorCode,
  MAX_AUDIT_RECORD_BYTES,
  type MachineAuditRecord,
  methodRule,
  type RecordShares,
  type WriteOptions,
} from "@cmdop/proto";
import { z } from "zod";
import type { Caller } from "../policy/caller.ts";
import type { Redact } from "../policy/redact.ts";
import { describeWithin, jobIdOf } from "./describe.ts";
import type { RefusedRecord } from "./refusals.ts";

/** What of a record may be the description of its call, in bytes: room is left for all else. */
const MAX_WHAT_BYTES = MAX_AUDIT_RECORD_BYTES - 2 * 1024;

/** The same of a read, which costs its caller next to nothing: an ordinary path is whole. */
const MAX_READ_WHAT_BYTES = 1024;

/** The same of any call whose key has filled its share of the chain. */
const MAX_BRIEF_WHAT_BYTES = 512;

/** What the end of a call takes in the chain, in bytes: it is charged with its begin. */
const END_BYTES = 150;

/** The same of a call that was refused: it costs its caller nothing. */
const MAX_REFUSED_WHAT_BYTES = 1024;

const jobIdSchema = z.guid();

type BeginRecord = Extract<MachineAuditRecord, { type: "begin" }>;

/** What a record of counted calls says beside their numbers. */
export type CountedFacts = Omit<
  Extract<MachineAuditRecord, { type: "counted" }>,
  "type" | "at" | "calls" | "failed"
>;

/** The record of calls that were counted. */
export function countedRecord(facts: CountedFacts, { calls, failed }: CallTotals): MachineAuditRecord {
  return { type: "counted", at: Date.now(), ...facts, calls, failed };
}

/** What a call's record is written with. */
export interface CallRecordOptions {
  readonly id: string;
  readonly door: Caller["door"];
  readonly arrival: Arrival;
  readonly redact: () => Redact;
  /** What of the chain each key may fill with records of its calls. */
  readonly shares: RecordShares;
  /** Counts the reads of keys that have filled theirs. */
  readonly counted: CountedCalls<CountedFacts>;
  /** @throws CmdopError AuditUnavailable */
  readonly write: (record: MachineAuditRecord, options: WriteOptions) => void;
  readonly writeOrKeep: (record: MachineAuditRecord, options: WriteOptions) => void;
  readonly refuse: (record: RefusedRecord) => void;
  /** Called once, at the end. */
  readonly onEnd: () => void;
}

/** What is recorded of one call: one `refused`, or one `begin` and at its end one `end`, or that it was counted. */
export class CallRecord {
  /** The call's id in both chains. */
  readonly id: string;
  readonly #options: CallRecordOptions;
  #key: string | null = null;
  #keyName = "";
  #begun: ((code: "Ok" | ErrorCode) => void) | undefined;
  #ended = false;

  constructor(options: CallRecordOptions) {
    this.id = options.id;
    this.#options = options;
  }

  /** Says whose call it is, as soon as that is certain. */
  by(keyId: string, keyName: string): void {
    this.#key = keyId;
    this.#keyName = keyName;
  }

  /**
   * Before the call runs. Those who can repair a full disk are let in with the
   * last of its room: keys with `admin`, and whoever may open the local socket.
   * @throws CmdopError AuditUnavailable: then the call must not run
   */
  begin({ keyId, scopes }: Caller): void {
    const { arrival, shares, write, writeOrKeep } = this.#options;
    const urgent = scopes.has("admin") || keyId === "local";
    const isRead = methodRule(arrival.path)?.countable === true;
    let record = this.#record(isRead ? MAX_READ_WHAT_BYTES : MAX_WHAT_BYTES);
    const bytes = Buffer.byteLength(JSON.stringify(record)) + END_BYTES;
    if (!shares.take(keyId, arrival.path, bytes)) {
      if (isRead) {
        const end = this.#count(keyId, urgent);
        this.#begun = (code) => end({ failed: code !== "Ok", bytesIn: 0, bytesOut: 0 });
        return;
      }
      record = this.#record(MAX_BRIEF_WHAT_BYTES);
    }
    write(record, { urgent });
    const begunAtMs = performance.now();
    this.#begun = (code) => {
      const ms = Math.round((performance.now() - begunAtMs) * 1000) / 1000;
      writeOrKeep({ type: "end", at: Date.now(), call: this.id, code, ms }, { urgent });
    };
  }

  /** When the call is over: refused, where it never began. Only the first end counts. */
  end(code: "Ok" | ErrorCode): void {
    if (this.#ended) return;
    this.#ended = true;
    const { door, arrival, refuse, onEnd } = this.#options;
    if (this.#begun !== undefined) this.#begun(code);
    else {
      refuse({
        type: "refused",
        at: Date.now(),
        call: this.id,
        door,
        key: this.#key,
        keyName: this.#keyName,
        method: arrival.path,
        code,
        // What strangers say is not worth a line.
        ...(this.#key === null ? {} : this.#what(MAX_REFUSED_WHAT_BYTES)),
        count: 1,
      });
    }
    onEnd();
  }

  #record(maxWhatBytes: number): BeginRecord {
    const { door, arrival } = this.#options;
    const job = jobIdSchema.safeParse(jobIdOf(arrival.request)).data;
    return {
      type: "begin",
      at: Date.now(),
      call: this.id,
      door,
      key: this.#key,
      keyName: this.#keyName,
      method: arrival.path,
      ...this.#what(maxWhatBytes),
      ...(job === undefined ? {} : { job }),
    };
  }

  #count(keyId: string, urgent: boolean): (end: CountedEnd) => void {
    const { door, arrival, counted, write } = this.#options;
    const facts = { door, key: this.#key, keyName: this.#keyName, method: arrival.path };
    // There are no more kinds than countable methods, so none is too many.
    const kind = { name: `${door} ${keyId} ${arrival.path}`, facts };
    return counted.begin(keyId, { kind, coarse: kind }, (first, totals) =>
      write(countedRecord(first, totals), { urgent }),
    );
  }

  #what(maxBytes: number): { what?: string } {
    const { arrival, redact } = this.#options;
    const what = describeWithin(arrival.path, arrival.request, { maxBytes, redact: redact() });
    return what === "" ? {} : { what };
  }
}
