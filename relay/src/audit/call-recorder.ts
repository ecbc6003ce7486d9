import {
  type CallTotals,
  type ChainLog,
  CmdopError,
  CountedCalls,
  type KeyId,
  methodRule,
  RecordShares,
  type RelayRecord,
} from "@cmdop/proto";
import { MAX_CALLS } from "../data/limits.ts";
import type { CallEnding, ComingCall, RecordedCall, Recorder, RefusedCall } from "../data/recorder.ts";
import type { Log } from "../log.ts";
import type { AuditBounds } from "./bounds.ts";
import { Refusals } from "./refusals.ts";

/** Ends that wait in memory for a disk that takes no more: those of all calls that can be open. 200 bytes each. */
const MAX_WAITING_ENDS = MAX_CALLS;

/** What the end of a call takes in the chain, in bytes: it is charged with its begin. */
const END_BYTES = 200;

/** In the place of the machines of calls that are counted together. */
const VARIOUS = "*";

/** What records call an owner, whose key has no name. */
const OWNER_NAME = "owner";

/** Pause between two complaints about the same trouble, in milliseconds. */
const COMPLAIN_INTERVAL_MS = 10_000;

type BeginRecord = Extract<RelayRecord, { type: "begin" }>;
type CountedRecord = Extract<RelayRecord, { type: "counted" }>;
type CountedFacts = Omit<CountedRecord, "type" | "at" | keyof CallTotals>;

/** What the recorder needs. */
export interface CallRecorderOptions {
  readonly chain: Pick<ChainLog, "append">;
  readonly bounds: AuditBounds;
  readonly log: Log;
}

/**
 * Writes every call down in the relay's own chain: one begin before it goes on
 * and one end after, or one refusal. Reads of a key that has filled its share of
 * the chain are counted.
 */
export class CallRecorder implements Recorder {
  readonly #options: CallRecorderOptions;
  readonly #shares: RecordShares;
  readonly #counted: CountedCalls<CountedFacts>;
  readonly #refusals: Refusals;
  readonly #open = new Set<RecordedCall>();
  readonly #waitingEnds: string[] = [];
  #complainedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: CallRecorderOptions) {
    this.#options = options;
    const { bounds } = options;
    this.#shares = new RecordShares(bounds.shares);
    this.#counted = new CountedCalls({
      write: (facts, totals) => this.#try({ type: "counted", at: Date.now(), ...facts, ...totals }),
      windowMs: bounds.countWindowMs,
    });
    this.#refusals = new Refusals({
      bounds,
      shares: this.#shares,
      write: (record) => this.#try(record),
    });
  }

  /** Notes that the relay has begun to record: calls of before that have no end are unknown from now on. */
  started(version: string): void {
    this.#try({ type: "started", at: Date.now(), version });
  }

  begin({ caller, address, method, machine }: ComingCall): RecordedCall {
    this.#writeWaitingEnds();
    const id = crypto.randomUUID();
    const begun = performance.now();
    const record: BeginRecord = {
      type: "begin",
      at: Date.now(),
      call: id,
      key: caller.keyId,
      keyName: caller.grant?.claims.name ?? OWNER_NAME,
      address,
      machine: machine?.id ?? null,
      machineName: machine?.name ?? "",
      method,
    };
    // Owners and admins come in to repair a disk that is full.
    const urgent = caller.grant === undefined || caller.scopes.includes("admin");
    const body = JSON.stringify(record);
    const isWithinShare = this.#shares.take(caller.keyId, method, body.length + END_BYTES);
    if (!isWithinShare && methodRule(method)?.countable) return this.#count(caller.keyId, record, urgent);
    this.#options.chain.append(body, { urgent });
    const call: RecordedCall = {
      id,
      end: ({ code, bytesIn, bytesOut }) => {
        if (!this.#open.delete(call)) return;
        const ms = Math.round((performance.now() - begun) * 1_000) / 1_000;
        this.#end({ type: "end", at: Date.now(), call: id, code, ms, bytesIn, bytesOut });
      },
    };
    this.#open.add(call);
    return call;
  }

  /** Notes that a machine is quarantined, or released. */
  quarantine(facts: Omit<Extract<RelayRecord, { type: "quarantine" }>, "type" | "at">): void {
    this.#try({ type: "quarantine", at: Date.now(), ...facts });
  }

  refused(call: RefusedCall): void {
    this.#refusals.note(call);
  }

  #count(keyId: KeyId, record: BeginRecord, urgent: boolean): RecordedCall {
    const { call: id, key, keyName, machine, machineName, method } = record;
    const facts = { key, keyName, machine, machineName, method };
    const names = {
      kind: { name: `${keyId} ${method} ${machine}`, facts },
      coarse: { name: `${keyId} ${method}`, facts: { ...facts, machine: VARIOUS, machineName: "" } },
    };
    const end = this.#counted.begin(keyId, names, (first, totals) => {
      const begun: CountedRecord = { type: "counted", at: record.at, ...first, ...totals };
      this.#options.chain.append(JSON.stringify(begun), { urgent });
    });
    let isOpen = true;
    return {
      id,
      end: ({ code, bytesIn, bytesOut }) => {
        if (isOpen) end({ failed: code !== "Ok", bytesIn, bytesOut });
        isOpen = false;
      },
    };
  }

  /** Ends what is still open: its callers saw their connections break. */
  close(): void {
    const lost: CallEnding = { code: "LinkLost", bytesIn: 0, bytesOut: 0 };
    for (const call of [...this.#open]) call.end(lost);
    this.#writeWaitingEnds();
    this.#counted.flush();
    this.#refusals.close();
  }

  #end(record: RelayRecord): void {
    this.#writeWaitingEnds();
    if (this.#waitingEnds.length === 0 && this.#try(record)) return;
    if (this.#waitingEnds.length < MAX_WAITING_ENDS) this.#waitingEnds.push(JSON.stringify(record));
    else this.#complain(`more than ${MAX_WAITING_ENDS} ends of calls wait; this one stays unknown`);
  }

  #writeWaitingEnds(): void {
    while (this.#waitingEnds[0] !== undefined && this.#tryBody(this.#waitingEnds[0]))
      this.#waitingEnds.shift();
  }

  #try(record: RelayRecord): boolean {
    return this.#tryBody(JSON.stringify(record));
  }

  #tryBody(body: string): boolean {
    try {
      this.#options.chain.append(body);
      return true;
    } catch (thrown) {
      this.#complain(CmdopError.from(thrown).message);
      return false;
    }
  }

  #complain(message: string): void {
    if (performance.now() - this.#complainedAtMs < COMPLAIN_INTERVAL_MS) return;
    this.#complainedAtMs = performance.now();
    this.#options.log.error("audit record not written", { message });
  }
}
