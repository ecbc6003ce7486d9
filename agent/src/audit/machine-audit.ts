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

/** What a record may say in free words about a job, an approval or a policy, in bytes. */
const MAX_REASON_BYTES = 2 * 1024;

const callIdSchema = z.uuid();

/** How a machine's audit is opened. */
export interface MachineAuditOptions {
  readonly directory: string;
  readonly limits?: ChainLogOptions["limits"];
  /** How much of the chain each key may fill, where it differs from the named limits. */
  readonly shares?: Partial<ShareBounds> | undefined;
  /** Signs the chain's heads. */
  readonly machineKey: KeyPair;
  /** The agent's. */
  readonly version: string;
  /** What of commands and paths is left out of the records. */
  readonly redact: () => Redact;
  /** Told of what can't be recorded. */
  readonly onTrouble: (error: unknown) => void;
  /** Why nothing may be written now, where that is so: then another agent may be at work on the same chain. */
  readonly blocked?: (() => CmdopError | undefined) | undefined;
  /** Told of what was repaired in the chain, or of what is left of its reserve. */
  readonly onRepair: (message: string) => void;
}

type RecordOf<Type extends MachineAuditRecord["type"]> = Extract<MachineAuditRecord, { type: Type }>;

/**
 * What was done on this machine, by whom and how it ended: a chain of records on
 * its own disk, each written before what it tells of may happen (a call) or as
 * soon as it has happened. Never in it: values of variables, input, content.
 */
export class MachineAudit {
  readonly #options: MachineAuditOptions;
  readonly #log: ChainLog;
  readonly #writer: RecordWriter;
  readonly #refusals: Refusals;
  readonly #shares: RecordShares;
  readonly #counted: CountedCalls<CountedFacts>;
  /** Ids of the calls that are not over. */
  readonly #open = new Set<string>();

  /** Opens the chain, or begins it, and records that the agent has started. */
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
    // Urgent: with a full disk the machine must come up all the same, to be repaired.
    this.#writer.writeOrKeep({ type: "started", at: Date.now(), version }, { urgent: true });
  }

  /** The chain, for whoever copies it. */
  get log(): ChainLog {
    return this.#log;
  }

  /** A call has come: what is recorded of it from now on. */
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

  /** Records the end of a job when it comes. */
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

  /** Records that the machine does not know any more what it did. */
  lost(what: string): void {
    this.#writer.writeOrKeep({ type: "lost", at: Date.now(), what: this.#words(what) }, { urgent: true });
  }

  /** Records that another policy is in force, or why a broken one is not. */
  policy({ hash, error }: Omit<RecordOf<"policy">, "type" | "at">): void {
    const words = error === undefined ? {} : { error: this.#words(error) };
    this.#writer.writeOrKeep({ type: "policy", at: Date.now(), hash, ...words });
  }

  /** Records that the system clock has jumped, and what became of it. */
  clock({ state, aheadMs }: ClockJump): void {
    this.#writer.writeOrKeep({ type: "clock", at: Date.now(), state, aheadMs });
  }

  /** Records what happened to a call that waits for a person. */
  approval({ reason, ...facts }: Omit<RecordOf<"approval">, "type" | "at">): void {
    const words = reason === undefined ? {} : { reason: this.#words(reason) };
    this.#writer.writeOrKeep({ type: "approval", at: Date.now(), ...facts, ...words });
  }

  /** The machine's word on where its chain ends, or on an earlier place in it. `nonce`: the asker's challenge, base64url. */
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

  /** Writes what waits; whether all is written, and there is a reserve for the next time. */
  retry(): boolean {
    return this.#writer.retry() && this.#log.hasReserve;
  }

  /** Writes what waits. Nothing is recorded after. */
  close(): void {
    this.#counted.flush();
    this.#refusals.flush();
    this.#writer.close();
    this.#log.close();
  }

  /** The relay's id for the call, where it can be believed: both chains then speak of the same call. */
  #callId(door: Caller["door"], arrival: Arrival): string {
    const given = door === "relay" ? callIdSchema.safeParse(arrival.header(HEADERS.call)).data : undefined;
    return given === undefined || this.#open.has(given) ? randomUUID() : given;
  }

  #words(text: string): string {
    return recordText(text, { maxBytes: MAX_REASON_BYTES, redact: this.#options.redact() });
  }
}
