import {
  type CallTotals,
  type ChainLog,
  type ClockJump,
  CmdopError,
  CountedCalls,
  isDiskTrouble,
  type KeyId,
  methodRule,
  RecordShares,
  RecordWriter,
  type RelayRecord,
} from "@cmdop/proto";
import type { CallEnding, ComingCall, RecordedCall, Recorder, RefusedCall } from "../data/recorder.ts";
import type { Log } from "../log.ts";
import type { AuditBounds } from "./bounds.ts";
import { Refusals } from "./refusals.ts";

/** Size of the record of a call's end, in bytes: it is charged together with the begin. */
const END_BYTES = 200;

/** Stands for the machine in records that count calls to several machines. */
const VARIOUS = "*";

/** Name of an owner in records; an owner's key has no name. */
const OWNER_NAME = "owner";

/** Pause between two complaints about the same trouble, in milliseconds. */
const COMPLAIN_INTERVAL_MS = 10_000;

type BeginRecord = Extract<RelayRecord, { type: "begin" }>;
type CountedRecord = Extract<RelayRecord, { type: "counted" }>;
type CountedFacts = Omit<CountedRecord, "type" | "at" | keyof CallTotals>;

/** Options of the recorder. */
export interface CallRecorderOptions {
  readonly chain: Pick<ChainLog, "append">;
  readonly bounds: AuditBounds;
  readonly log: Log;
  /** Called when the disk takes no writes. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

/**
 * Records every call in the relay's own chain: a begin before it goes on and an end after it, or a refusal.
 * Reads by a key that has filled its share of the chain are only counted.
 */
export class CallRecorder implements Recorder {
  readonly #options: CallRecorderOptions;
  readonly #writer: RecordWriter;
  readonly #shares: RecordShares;
  readonly #counted: CountedCalls<CountedFacts>;
  readonly #refusals: Refusals;
  readonly #open = new Set<RecordedCall>();
  #complainedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: CallRecorderOptions) {
    this.#options = options;
    const { bounds } = options;
    this.#writer = new RecordWriter(options.chain, (thrown) => this.#complain(thrown));
    this.#shares = new RecordShares(bounds.shares);
    this.#counted = new CountedCalls({
      write: (facts, totals) => this.#tryNow({ type: "counted", at: Date.now(), ...facts, ...totals }),
      windowMs: bounds.countWindowMs,
    });
    this.#refusals = new Refusals({
      bounds,
      shares: this.#shares,
      write: (record) => this.#tryNow(record),
    });
  }

  /** Records that the relay has started. Earlier calls without an end have an unknown end from now on. */
  started(version: string): void {
    // Urgent, because the relay must start with a full disk too, for the people who repair it.
    this.#writer.writeOrKeep({ type: "started", at: Date.now(), version }, { urgent: true });
  }

  begin({ caller, address, method, machine }: ComingCall): RecordedCall {
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
    // Owners and admins are let in to repair a full disk.
    const urgent = caller.grant === undefined || caller.scopes.includes("admin");
    const bytes = JSON.stringify(record).length + END_BYTES;
    const isWithinShare = this.#shares.take(caller.keyId, method, bytes);
    if (!isWithinShare && methodRule(method)?.countable) return this.#count(caller.keyId, record, urgent);
    this.#writer.write(record, { urgent });
    const call: RecordedCall = {
      id,
      end: ({ code, bytesIn, bytesOut }) => {
        if (!this.#open.delete(call)) return;
        const ms = Math.round((performance.now() - begun) * 1_000) / 1_000;
        const end = { type: "end", at: Date.now(), call: id, code, ms, bytesIn, bytesOut } as const;
        this.#writer.writeOrKeep(end, { urgent });
      },
    };
    this.#open.add(call);
    return call;
  }

  /** Records that the system clock has jumped, and the consequence. */
  clock({ state, aheadMs }: ClockJump): void {
    this.#writer.writeOrKeep({ type: "clock", at: Date.now(), state, aheadMs });
  }

  /** Records that a machine is quarantined, or released. */
  quarantine(facts: Omit<Extract<RelayRecord, { type: "quarantine" }>, "type" | "at">): void {
    this.#writer.writeOrKeep({ type: "quarantine", at: Date.now(), ...facts }, { urgent: true });
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
      this.#writer.write(begun, { urgent });
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

  /** Writes the records that wait. Returns true if none waits any more. */
  retry(): boolean {
    return this.#writer.retry();
  }

  /** Ends the open calls, whose callers saw their connections break. */
  close(): void {
    const lost: CallEnding = { code: "LinkLost", bytesIn: 0, bytesOut: 0 };
    for (const call of [...this.#open]) call.end(lost);
    this.#counted.flush();
    this.#refusals.close();
    this.#writer.close();
  }

  #tryNow(record: RelayRecord): boolean {
    try {
      this.#writer.write(record);
      return true;
    } catch (thrown) {
      this.#complain(thrown);
      return false;
    }
  }

  #complain(thrown: unknown): void {
    const { log, onTrouble } = this.#options;
    if (isDiskTrouble(thrown)) onTrouble?.(thrown);
    if (performance.now() - this.#complainedAtMs < COMPLAIN_INTERVAL_MS) return;
    this.#complainedAtMs = performance.now();
    log.error("audit record not written", { message: CmdopError.from(thrown).message });
  }
}
