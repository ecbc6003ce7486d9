import path from "node:path";

/** The agent's state below a CMDOP_HOME. */
export function agentStateDir(home: string): string {
  return path.join(home, "agent");
}

/** The unit of systemd that starts the agent. */
export const AGENT_UNIT = "cmdop-agent.service";

/** The unix socket on which an agent with this state directory serves its own machine. */
export function localSocketPath(stateDir: string): string {
  return path.join(stateDir, "agent.sock");
}
