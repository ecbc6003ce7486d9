import { CmdopError } from "../errors/cmdop-error.ts";

/** A call that was broken off without a status, by whoever carried it: how far it came, nobody said. */
export class BrokenCall extends CmdopError {}

/** Whether a call that ended with this error may have done what it was to do, as far as anyone here knows. */
export function mayHaveRun(error: CmdopError): boolean {
  return error.code === "LinkLost" || error instanceof BrokenCall;
}
