import {
  type Arrival,
  type ErrorCode,
  MAX_AUDIT_RECORD_BYTES,
  type MachineAuditRecord,
  type WriteOptions,
} from "@cmdop/proto";
import { z } from "zod";
import type { Caller } from "../policy/caller.ts";
import { describeWithin, jobIdOf } from "./describe.ts";
import type { RefusedRecord } from "./refusals.ts";

/** What of a record may be the description of its call, in bytes: room is left for all else. */
const MAX_WHAT_BYTES = MAX_AUDIT_RECORD_BYTES - 2 * 1024;

/** The same of a call that was refused: it costs its caller nothing. */
const MAX_REFUSED_WHAT_BYTES = 1024;

const jobIdSchema = z.guid();

/** What a call's record is written with. */
export interface CallRecordOptions {
  readonly id: string;
  readonly door: Caller["door"];
  readonly arrival: Arrival;
  readonly redact: () => readonly RegExp[];
  /** @throws CmdopError AuditUnavailable */
  readonly write: (record: MachineAuditRecord, options: WriteOptions) => void;
  readonly writeOrKeep: (record: MachineAuditRecord, options: WriteOptions) => void;
  readonly refuse: (record: RefusedRecord) => void;
  /** Called once, at the end. */
  readonly onEnd: () => void;
}

/** What is recorded of one call: one `refused`, or one `begin` and at its end one `end`. */
export class CallRecord {
  /** The call's id in both chains. */
  readonly id: string;
  readonly #options: CallRecordOptions;
  #key: string | null = null;
  #keyName = "";
  #begun: { readonly atMs: number; readonly urgent: boolean } | undefined;
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
    const { door, arrival } = this.#options;
    const urgent = scopes.has("admin") || keyId === "local";
    const job = jobIdSchema.safeParse(jobIdOf(arrival.request)).data;
    this.#options.write(
      {
        type: "begin",
        at: Date.now(),
        call: this.id,
        door,
        key: this.#key,
        keyName: this.#keyName,
        method: arrival.path,
        ...this.#what(MAX_WHAT_BYTES),
        ...(job === undefined ? {} : { job }),
      },
      { urgent },
    );
    this.#begun = { atMs: performance.now(), urgent };
  }

  /** When the call is over: refused, where it never began. Only the first end counts. */
  end(code: "Ok" | ErrorCode): void {
    if (this.#ended) return;
    this.#ended = true;
    const { door, arrival, writeOrKeep, refuse, onEnd } = this.#options;
    const at = Date.now();
    if (this.#begun !== undefined) {
      const { atMs, urgent } = this.#begun;
      const ms = Math.round((performance.now() - atMs) * 1000) / 1000;
      writeOrKeep({ type: "end", at, call: this.id, code, ms }, { urgent });
    } else {
      refuse({
        type: "refused",
        at,
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

  #what(maxBytes: number): { what?: string } {
    const { arrival, redact } = this.#options;
    const what = describeWithin(arrival.path, arrival.request, { maxBytes, redact: redact() });
    return what === "" ? {} : { what };
  }
}
