import { CMDOPClient, CmdopError } from "@cmdop/sdk";
import { runsAgent } from "../home/running-agent.ts";
import type { Manager } from "../service/manager.ts";

/** Who runs this home's agent: its unit, somebody by hand, or nobody. */
export async function whoRunsAgent(): Promise<"unit" | "somebody" | "nobody"> {
  if (!(await runsAgent())) return "nobody";
  await using client = CMDOPClient.local();
  return (await client.health()).managed ? "unit" : "somebody";
}

/** Makes room for another start of this home's agent: stops the unit. @throws CmdopError where somebody else runs it */
export async function stopManaged(manager: Manager): Promise<void> {
  const who = await whoRunsAgent();
  if (who === "unit") await manager.systemctl("stop", manager.unit);
  if (who !== "somebody") return;
  throw new CmdopError("AlreadyExists", "An agent of this home runs already, and systemd did not start it.", {
    next: "End it first: Ctrl-C or SIGTERM where it was started (cmdop agent, cmdop up).",
  });
}
