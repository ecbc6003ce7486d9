import path from "node:path";

/** Returns the agent's state directory below a CMDOP_HOME. */
export function agentStateDir(home: string): string {
  return path.join(home, "agent");
}

/** Name of the systemd unit that starts the agent. */
export const AGENT_UNIT = "cmdop-agent.service";

/** Returns the path of the unix socket on which an agent with this state directory serves its own machine. */
export function localSocketPath(stateDir: string): string {
  return path.join(stateDir, "agent.sock");
}
