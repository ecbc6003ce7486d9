import { agentStateDir, CmdopError } from "@cmdop/proto";
import { loadMachineKey } from "./machine-key.ts";
import { Membership } from "./membership.ts";
import { makePrivateDirectory } from "./private-files.ts";

/** What there is to know of a machine while no agent runs there. */
export interface MachineState {
  readonly id: string;
  /** What its owner calls it; undefined until a relay has welcomed it. */
  readonly name: string | undefined;
}

/** Looks at the state below a home; makes the machine's key where there is none. */
export async function machineState(home: string): Promise<MachineState> {
  const stateDir = agentStateDir(home);
  await makePrivateDirectory(stateDir);
  const { id } = await loadMachineKey(stateDir);
  try {
    const membership = await Membership.open(stateDir, id, {});
    return { id, name: membership.pendingJoinToken === "" ? membership.identity.name : undefined };
  } catch (thrown) {
    // It has not even a token yet.
    if (thrown instanceof CmdopError && thrown.code === "LinkRefused") return { id, name: undefined };
    throw thrown;
  }
}

/** Leaves a join token with the state, for the agent that is started next. */
export async function prepareToJoin(home: string, joinToken: string): Promise<void> {
  const stateDir = agentStateDir(home);
  await makePrivateDirectory(stateDir);
  const { id } = await loadMachineKey(stateDir);
  await Membership.open(stateDir, id, { joinToken });
}
