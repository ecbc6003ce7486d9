import { agentStateDir, CmdopError, type RelayTarget } from "@cmdop/proto";
import { loadMachineKey } from "./machine-key.ts";
import { Membership } from "./membership.ts";
import { makePrivateDirectory } from "./private-files.ts";

/** The facts about a machine that can be read while no agent runs. */
export interface MachineState {
  readonly id: string;
  /** The name that its owner gave it; undefined until a relay has welcomed it. */
  readonly name: string | undefined;
  /** The relay that it has joined; undefined until then. */
  readonly relay: RelayTarget | undefined;
}

/** Reads the state below a home, and makes the machine's key if there is none. */
export async function machineState(home: string): Promise<MachineState> {
  const stateDir = agentStateDir(home);
  await makePrivateDirectory(stateDir);
  const { id } = await loadMachineKey(stateDir);
  try {
    const membership = await Membership.open(stateDir, id, {});
    return membership.pendingJoinToken === ""
      ? { id, name: membership.identity.name, relay: membership.relay }
      : { id, name: undefined, relay: undefined };
  } catch (thrown) {
    // It does not even have a token yet.
    if (thrown instanceof CmdopError && thrown.code === "LinkRefused")
      return { id, name: undefined, relay: undefined };
    throw thrown;
  }
}

/** Stores a join token in the state, for the agent that is started next. */
export async function prepareToJoin(home: string, joinToken: string): Promise<void> {
  const stateDir = agentStateDir(home);
  await makePrivateDirectory(stateDir);
  const { id } = await loadMachineKey(stateDir);
  await Membership.open(stateDir, id, { joinToken });
}
