import { detail, outputLevel } from "../console/output.ts";
import { VERSION } from "../version.ts";

/** Says with --verbose which home, key and relay a command will use. */
export async function describeSettings(): Promise<void> {
  if (outputLevel() !== "verbose") return;
  const { homePaths } = await import("./home.ts");
  const { CMDOP_API_KEY, CMDOP_RELAY, CMDOP_MACHINE } = process.env;
  detail(`cmdop ${VERSION}, Node ${process.versions.node}, home ${homePaths.home()}`);
  detail(CMDOP_API_KEY ? "key from CMDOP_API_KEY" : `key from ${homePaths.profile()}, where a key is needed`);
  if (CMDOP_RELAY) detail(`relay ${CMDOP_RELAY} from CMDOP_RELAY`);
  if (CMDOP_MACHINE) detail(`machine ${CMDOP_MACHINE} from CMDOP_MACHINE, where none is named`);
}
