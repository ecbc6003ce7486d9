import { ERROR_TABLE, type ErrorCode } from "./table.ts";

/** What a thrower may say beyond code and message. */
export interface CmdopErrorOptions {
  /** What to do next, where it is more exact than the table's word. */
  next?: string | undefined;
  /** The error behind this one; stays on this side of the wire. */
  cause?: unknown;
  /** The job that the call was about; stays on this side too. */
  jobId?: string | undefined;
}

/**
 * The one error type of cmdop, on both sides of the wire. `message` says what
 * failed and the likely cause, `next` what to do about it, `code` is the row
 * of the table that programs switch on.
 */
export class CmdopError extends Error {
  readonly code: ErrorCode;
  readonly next: string;
  /** The job, session or run whose fate is unknown, where the call was about one: its maker may never have heard of it. */
  readonly jobId: string | undefined;

  constructor(code: ErrorCode, message: string, options: CmdopErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = code;
    this.code = code;
    this.next = options.next ?? ERROR_TABLE[code].next;
    this.jobId = options.jobId;
  }

  /** The gRPC status that carries this error. */
  get status(): number {
    return ERROR_TABLE[this.code].status;
  }

  /** What JSON has of it: its message, too, which JSON has of no other error; not the cause, which stays here. */
  toJSON(): object {
    return { ...this, message: this.message };
  }

  /** Any thrown thing as a CmdopError; what is not one becomes Internal, with the original as cause. */
  static from(thrown: unknown): CmdopError {
    if (thrown instanceof CmdopError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new CmdopError("Internal", message, { cause: thrown });
  }
}
