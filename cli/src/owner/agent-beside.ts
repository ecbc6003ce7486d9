import { warn } from "../console/output.ts";
import { runsAgent } from "../home/running-agent.ts";

/** Warns of a risk that sealing does not remove: an agent that runs in the home of the owner key. */
export async function warnOfAgentBeside(): Promise<void> {
  if (!(await runsAgent())) return;
  warn(
    "an agent runs here as the same user. What its jobs run can't read the sealed owner key, but it can watch a passphrase while it is typed: for more than this one machine, keep the owner key where no agent runs.",
  );
}
