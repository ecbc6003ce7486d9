import { CMDOPClient, CmdopError } from "@cmdop/sdk";
import { runsAgent } from "../home/running-agent.ts";
import type { Manager } from "../service/manager.ts";

/** Tells whether this home's agent runs, and whether its unit runs it or somebody by hand. */
export async function whoRunsAgent(): Promise<"unit" | "somebody" | "nobody"> {
  if (!(await runsAgent())) return "nobody";
  await using client = CMDOPClient.local();
  return (await client.health()).managed ? "unit" : "somebody";
}

/**
 * Makes room for another start of this home's agent: stops the unit if it runs. Returns a function that starts
 * it again. @throws CmdopError where somebody else runs the agent
 */
export async function stopManaged(manager: Manager): Promise<() => Promise<void>> {
  const who = await whoRunsAgent();
  if (who === "nobody") return async () => undefined;
  if (who === "somebody") {
    throw new CmdopError(
      "AlreadyExists",
      "An agent of this home runs already, and systemd did not start it.",
      {
        next: "End it first: Ctrl-C or SIGTERM where it was started (cmdop agent, cmdop up).",
      },
    );
  }
  await manager.systemctl("stop", manager.unit);
  return () => manager.systemctl("start", manager.unit);
}
