export { Agent, type AgentOptions } from "./agent.ts";
export type { Log } from "./log.ts";
export { checkPolicy, type PolicyReport } from "./policy/check.ts";
export { type MachineState, machineState, prepareToJoin } from "./state/machine-state.ts";
