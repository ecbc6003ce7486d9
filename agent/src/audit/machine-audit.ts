import { randomUUID } from "node:crypto";
import {
  type Arrival,
  ChainLog,
  type ChainLogOptions,
  type ClockJump,
  CmdopError,
  CountedCalls,
  HEADERS,
  type KeyPair,
  type MachineAuditRecord,
  RecordShares,
  RecordWriter,
  type ShareBounds,
  signHead,
} from "@cmdop/proto";
import { z } from "zod";
import type { Job } from "../jobs/index.ts";
import type { Caller } from "../policy/caller.ts";
import type { Redact } from "../policy/redact.ts";
import { CallRecord, type CountedFacts, countedRecord } from "./call-record.ts";
import { recordText } from "./record-text.ts";
import { Refusals } from "./refusals.ts";

/** Most bytes of free text about a job, an approval or a policy in a record. */
const MAX_REASON_BYTES = 2 * 1024;

const callIdSchema = z.uuid();

/** Options of a machine's audit. */
export interface MachineAuditOptions {
  readonly directory: string;
  readonly limits?: ChainLogOptions["limits"];
  /** The share of the chain that each key may fill, where it differs from the named limits. */
  readonly shares?: Partial<ShareBounds> | undefined;
  /** Signs the chain's heads. */
  readonly machineKey: KeyPair;
  /** The agent's version. */
  readonly version: string;
  /** Returns the function that hides parts of commands and paths. */
  readonly redact: () => Redact;
  /** Called with each error that keeps a record from being written. */
  readonly onTrouble: (error: unknown) => void;
  /**
   * Returns the reason why nothing may be written now, if there is one: another agent may be using the same
   * chain.
   */
  readonly blocked?: (() => CmdopError | undefined) | undefined;
  /** Called with each repair of the chain, and with changes of its reserve. */
  readonly onRepair: (message: string) => void;
}

type RecordOf<Type extends MachineAuditRecord["type"]> = Extract<MachineAuditRecord, { type: Type }>;

/**
 * The audit of this machine: what was done, by whom, and how it ended. It is a chain of records on the
 * machine's own disk; the record of a call is written before the call runs, all others right after the event.
 * Values of variables, input and content are never recorded.
 */
export class MachineAudit {
  readonly #options: MachineAuditOptions;
  readonly #log: ChainLog;
  readonly #writer: RecordWriter;
  readonly #refusals: Refusals;
  readonly #shares: RecordShares;
  readonly #counted: CountedCalls<CountedFacts>;
  /** Ids of the calls that have not ended. */
  readonly #open = new Set<string>();

  /** Opens or creates the chain, and records that the agent has started. */
  constructor(options: MachineAuditOptions) {
    const { directory, limits, version, onTrouble, onRepair, blocked = () => undefined } = options;
    this.#options = options;
    this.#log = ChainLog.open({ directory, limits, onTrouble: onRepair });
    const append: ChainLog["append"] = (body, how) => {
      const cause = blocked();
      if (cause !== undefined) {
        throw new CmdopError("AuditUnavailable", `No audit record can be written: ${cause.message}`, {
          cause,
        });
      }
      const end = this.#log.append(body, how);
      if (this.#log.lacksReserve !== undefined) onTrouble(this.#log.lacksReserve);
      return end;
    };
    this.#writer = new RecordWriter({ append }, onTrouble);
    this.#shares = new RecordShares(options.shares);
    this.#refusals = new Refusals(this.#shares, (record) => this.#writer.writeOrKeep(record));
    this.#counted = new CountedCalls({
      write: (facts, totals) => {
        this.#writer.writeOrKeep(countedRecord(facts, totals));
        return true;
      },
    });
    // Urgent: the machine must start even with a full disk, so that it can be repaired.
    this.#writer.writeOrKeep({ type: "started", at: Date.now(), version }, { urgent: true });
  }

  /** The chain, for copies of it. */
  get log(): ChainLog {
    return this.#log;
  }

  /** Makes the record of a call that has arrived. */
  arrived(door: Caller["door"], arrival: Arrival): CallRecord {
    const id = this.#callId(door, arrival);
    this.#open.add(id);
    return new CallRecord({
      id,
      door,
      arrival,
      redact: this.#options.redact,
      shares: this.#shares,
      counted: this.#counted,
      write: (record, options) => this.#writer.write(record, options),
      writeOrKeep: (record, options) => this.#writer.writeOrKeep(record, options),
      refuse: (record) => this.#refusals.add(record),
      onEnd: () => this.#open.delete(id),
    });
  }

  /** Records the end of the job when it ends. */
  watch(job: Job): void {
    const { id, keyId } = job.identity;
    job.ended.then((outcome) => {
      const { kind, durationMs: ms } = outcome;
      this.#writer.writeOrKeep({
        type: "job",
        at: Date.now(),
        job: id,
        key: keyId,
        outcome: kind,
        ...("exitCode" in outcome ? { exitCode: outcome.exitCode } : {}),
        ...("signal" in outcome && outcome.signal !== undefined ? { signal: outcome.signal } : {}),
        ...("reason" in outcome ? { reason: this.#words(outcome.reason) } : {}),
        ms,
      });
    });
  }

  /** Records that the machine has lost its memory of what it did. */
  lost(what: string): void {
    this.#writer.writeOrKeep({ type: "lost", at: Date.now(), what: this.#words(what) }, { urgent: true });
  }

  /** Records that a new policy is in force, or why a broken one is not. */
  policy({ hash, error }: Omit<RecordOf<"policy">, "type" | "at">): void {
    const words = error === undefined ? {} : { error: this.#words(error) };
    this.#writer.writeOrKeep({ type: "policy", at: Date.now(), hash, ...words });
  }

  /** Records a jump of the system clock, and its result. */
  clock({ state, aheadMs }: ClockJump): void {
    this.#writer.writeOrKeep({ type: "clock", at: Date.now(), state, aheadMs });
  }

  /** Records an event of a call that waits for a person. */
  approval({ reason, ...facts }: Omit<RecordOf<"approval">, "type" | "at">): void {
    const words = reason === undefined ? {} : { reason: this.#words(reason) };
    this.#writer.writeOrKeep({ type: "approval", at: Date.now(), ...facts, ...words });
  }

  /**
   * Signs a head: the machine's statement about the end of its chain, or about an earlier position. `nonce`:
   * the asker's challenge, base64url.
   */
  signHead({ seq, hash } = this.#log.head, nonce?: string): Promise<string> {
    const { machineKey } = this.#options;
    return signHead(
      {
        machine: machineKey.id,
        chain: this.#log.chain,
        seq,
        hash: Buffer.from(hash).toString("base64url"),
        at: Date.now(),
        ...(nonce === undefined ? {} : { nonce }),
      },
      machineKey,
    );
  }

  /**
   * Writes the records that wait. Returns true if all are written and the reserve for the next time exists.
   */
  retry(): boolean {
    return this.#writer.retry() && this.#log.hasReserve;
  }

  /** Writes the records that wait, and closes the chain. */
  close(): void {
    this.#counted.flush();
    this.#refusals.flush();
    this.#writer.close();
    this.#log.close();
  }

  /**
   * Returns the relay's id for the call if it is valid and unused, so that both chains name the same call;
   * else a new one.
   */
  #callId(door: Caller["door"], arrival: Arrival): string {
    const given = door === "relay" ? callIdSchema.safeParse(arrival.header(HEADERS.call)).data : undefined;
    return given === undefined || this.#open.has(given) ? randomUUID() : given;
  }

  #words(text: string): string {
    return recordText(text, { maxBytes: MAX_REASON_BYTES, redact: this.#options.redact() });
  }
}
