import type { ErrorCode, KeyId, MachineIdentity } from "@cmdop/proto";
import type { AuthenticatedCaller } from "./authenticate.ts";

/** How a call ended: `Ok`, or the code of its error. */
export type CallCode = "Ok" | ErrorCode;

/** A key that has proven itself, and what its owner calls it; empty for an owner. */
export interface ProvenKey {
  readonly id: KeyId;
  readonly name: string;
}

/** A call that is about to go on. */
export interface ComingCall {
  readonly caller: Pick<AuthenticatedCaller, "keyId" | "grant" | "scopes">;
  readonly address: string;
  readonly method: string;
  /** Absent for the relay's own services. */
  readonly machine: MachineIdentity | undefined;
}

/** A call that was refused before it went on. What strangers say of themselves is as they said it. */
export interface RefusedCall {
  /** Undefined where nobody could be made out. */
  readonly key: ProvenKey | undefined;
  readonly address: string;
  readonly method: string;
  /** What the caller asked for, an id or a name. */
  readonly machine: string | undefined;
  readonly code: ErrorCode;
}

/** How a call was over for its caller. Bytes: of message bodies, as its caller sent and as its upstream answered. */
export interface CallEnding {
  readonly code: CallCode;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A call that is written down. */
export interface RecordedCall {
  /** The id that it has in all audit chains: a UUID. */
  readonly id: string;
  /** Writes down that it is over; only the first time counts. */
  end(ending: CallEnding): void;
}

/** Where calls are written down. */
export interface Recorder {
  /** Writes a call down before it goes on. Throws AuditUnavailable where that can't be done: then it must not go on. */
  begin(call: ComingCall): RecordedCall;
  /** Writes down that a call was refused. Never throws. */
  refused(call: RefusedCall): void;
}
