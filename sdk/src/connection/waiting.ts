import { HEADERS } from "@cmdop/proto";

/** A call that the machine's policy lets run only once a person has said yes. */
export interface WaitingForApproval {
  readonly approvalId: string;
  /** When silence becomes a no, in milliseconds since 1970 by the machine's clock. */
  readonly expiresAtMs: number;
}

/** Told when a call begins to wait for a person; again where a lost connection made it ask anew. */
export type OnWaiting = (waiting: WaitingForApproval) => void;

const WAITING = /^([0-9a-f-]{36}) (\d{1,16})$/;

/** Reads an answer's headers for a word that the call is waiting. */
export function waitingListener(
  onWaiting: OnWaiting | undefined,
): ((header: (name: string) => string | undefined) => void) | undefined {
  if (onWaiting === undefined) return undefined;
  return (header) => {
    const [, approvalId, expiresAtMs] = WAITING.exec(header(HEADERS.waiting) ?? "") ?? [];
    if (approvalId !== undefined) onWaiting({ approvalId, expiresAtMs: Number(expiresAtMs) });
  };
}
