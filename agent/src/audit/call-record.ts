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

/**
 * Most bytes of a record for the description of its call; the rest of the record needs the remaining room.
 */
const MAX_WHAT_BYTES = MAX_AUDIT_RECORD_BYTES - 2 * 1024;

/** The same for a read, which costs its caller almost nothing. An ordinary path fits whole. */
const MAX_READ_WHAT_BYTES = 1024;

/** The same for any call whose key has filled its share of the chain. */
const MAX_BRIEF_WHAT_BYTES = 512;

/** Size of the record of a call's end, in bytes. It is charged with the record of its begin. */
const END_BYTES = 150;

/** Most bytes of the description of a refused call, which costs its caller nothing. */
const MAX_REFUSED_WHAT_BYTES = 1024;

const jobIdSchema = z.guid();

type BeginRecord = Extract<MachineAuditRecord, { type: "begin" }>;

/** The facts in a record of counted calls, besides their numbers. */
export type CountedFacts = Omit<
  Extract<MachineAuditRecord, { type: "counted" }>,
  "type" | "at" | "calls" | "failed"
>;

/** Makes the record of counted calls. */
export function countedRecord(facts: CountedFacts, { calls, failed }: CallTotals): MachineAuditRecord {
  return { type: "counted", at: Date.now(), ...facts, calls, failed };
}

/** The dependencies of a call's record. */
export interface CallRecordOptions {
  readonly id: string;
  readonly door: Caller["door"];
  readonly arrival: Arrival;
  readonly redact: () => Redact;
  /** The share of the chain that each key may fill with records of its calls. */
  readonly shares: RecordShares;
  /** Counts the reads of keys that have filled their share. */
  readonly counted: CountedCalls<CountedFacts>;
  /** @throws CmdopError AuditUnavailable */
  readonly write: (record: MachineAuditRecord, options: WriteOptions) => void;
  readonly writeOrKeep: (record: MachineAuditRecord, options: WriteOptions) => void;
  readonly refuse: (record: RefusedRecord) => void;
  /** Called once, at the end of the call. */
  readonly onEnd: () => void;
}

/**
 * The records of one call: one `refused`, or one `begin` and later one `end`, or its part in a record of
 * counted calls.
 */
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

  /** Sets the calling key, as soon as it is certain. */
  by(keyId: string, keyName: string): void {
    this.#key = keyId;
    this.#keyName = keyName;
  }

  /**
   * Records the begin of the call, before it runs. Callers who can repair a full disk may use the last of its
   * room: keys with `admin`, and callers of the local socket without a token.
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

  /**
   * Records the end of the call; a call that never began is recorded as refused. Only the first end counts.
   */
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
        // The requests of strangers are not described.
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
    // The number of kinds is limited by the countable methods, so a coarser kind is not needed.
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
