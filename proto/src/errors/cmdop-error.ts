import { ERROR_TABLE, type ErrorCode } from "./table.ts";

/** Optional properties of an error, beyond code and message. */
export interface CmdopErrorOptions {
  /** The next step, if it is more exact than the table's. */
  next?: string | undefined;
  /** The error that caused this one. It is not sent over the wire. */
  cause?: unknown;
  /** Id of the job that the call was about. It is not sent over the wire. */
  jobId?: string | undefined;
}

/**
 * The one error type of cmdop, on both sides of the wire. `message` tells what failed and the likely cause,
 * `next` what to do about it; `code` is the row of the table, for programs to switch on.
 */
export class CmdopError extends Error {
  readonly code: ErrorCode;
  readonly next: string;
  /**
   * Id of the job, session or run whose fate is unknown, if the call was about one: its maker may never have
   * received the id.
   */
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

  /**
   * Returns the error for JSON: with its message, which JSON.stringify drops from errors, and without the
   * cause, which is local.
   */
  toJSON(): object {
    return { ...this, message: this.message };
  }

  /**
   * Converts any thrown value to a CmdopError. Anything else becomes Internal, with the original as cause.
   */
  static from(thrown: unknown): CmdopError {
    if (thrown instanceof CmdopError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new CmdopError("Internal", message, { cause: thrown });
  }
}
