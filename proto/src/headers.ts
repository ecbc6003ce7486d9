/**
 * All header names that cmdop uses on the wire. The relay removes headers that begin with `x-cmdop-` and are
 * not in CALLER_HEADERS before it forwards a call: only the relay itself sets them.
 */
export const HEADERS = {
  /** Caller → relay → agent: `Bearer <call token>`. */
  authorization: "authorization",
  /** Caller → relay → agent: the machine's id or name. */
  machine: "x-cmdop-machine",
  /** Relay → agent and relay services: the owner-signed grant of the calling key. Absent for an owner. */
  grant: "x-cmdop-grant",
  /** Relay → agent: the id that the relay gave this call, a UUID; both audit chains name it. */
  call: "x-cmdop-call",
  /** Relay → its own services: the id of the key that the front door has verified. */
  caller: "x-cmdop-caller",
  /**
   * Agent → caller, before the answer: the call waits for a person. `<approval id> <time of refusal without
   * an answer, in milliseconds since 1970>`.
   */
  waiting: "x-cmdop-waiting",
  /** Trailer of a failed call: the error's code, a row of errors/table.ts. */
  error: "x-cmdop-error",
  /** Trailer of a failed call: what to do next, percent-encoded. */
  next: "x-cmdop-next",
} as const;

/** The `x-cmdop-` headers that a caller may send. */
export const CALLER_HEADERS: ReadonlySet<string> = new Set([HEADERS.machine]);

/** Prefix of all of cmdop's own headers. */
export const HEADER_PREFIX = "x-cmdop-";
