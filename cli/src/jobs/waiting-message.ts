import type { OnWaiting } from "@cmdop/sdk";
import { report } from "../console/output.ts";
import { printable } from "../console/printable.ts";

/** Says on stderr that a command waits for a person, once for each time that one is asked. */
export function waitingMessage(): OnWaiting {
  let said = "";
  return ({ approvalId, expiresAtMs }) => {
    if (approvalId === said) return;
    said = approvalId;
    report(
      `waits for approval until ${new Date(expiresAtMs).toISOString()}; whoever may says: cmdop approve ${printable(approvalId)}`,
    );
  };
}
