import type { Agent, CMDOPClient, Terminal } from "@cmdop/sdk";

/** The terminal of the machine that was named, otherwise of the one that environment, profile or key say. */
export function terminalOf(client: CMDOPClient, machine: string | undefined): Terminal {
  return machine === undefined ? client.terminal : client.machine(machine).terminal;
}

/** The same machine's agents. */
export function agentOf(client: CMDOPClient, machine: string | undefined): Agent {
  return machine === undefined ? client.agent : client.machine(machine).agent;
}

/** A command line of ours for a job on the same machine: `cmdop attach web-1 ID`. */
export function commandFor(verb: string, machine: string | undefined, jobId: string): string {
  return ["cmdop", verb, ...(machine === undefined ? [] : [machine]), jobId].join(" ");
}
