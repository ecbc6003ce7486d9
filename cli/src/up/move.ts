import { machineState } from "@cmdop/agent";
import { CmdopError, parseRelayTarget } from "@cmdop/sdk";
import { homePaths } from "../home/home.ts";
import { runsAgent } from "../home/running-agent.ts";

/** Refuses to move a home whose agent runs: it would stay at its relay, and write its old membership again. */
export async function refuseBesideAgent(relay: string): Promise<void> {
  if (!(await runsAgent())) return;
  const joined = (await machineState(homePaths.home())).relay;
  if (joined?.id === parseRelayTarget(relay).id) return;
  throw new CmdopError("AlreadyExists", "An agent of this home runs, and would stay at its relay.", {
    next: "End it first: Ctrl-C or SIGTERM where it was started. One that systemd runs is moved with --install.",
  });
}
