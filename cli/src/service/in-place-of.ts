import { CmdopError } from "@cmdop/sdk";
import { warn } from "../console/output.ts";

/**
 * Does something for which a unit was stopped; where it fails, the unit runs again, so that the machine can be
 * reached. A failure of that is only warned of, since the first one is the reason.
 */
export async function inPlaceOf<T>(startAgain: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    await startAgain().catch((failed: unknown) => warn(CmdopError.from(failed).message));
    throw thrown;
  }
}
