import { once } from "node:events";
import net from "node:net";
import { pause } from "@cmdop/kit";
import { agentStateDir, localSocketPath } from "@cmdop/proto";
import { CMDOPClient, CmdopError } from "@cmdop/sdk";
import { homePaths } from "./home.ts";

/** Longest wait for an agent that was just started, in milliseconds: a small machine takes seconds to start one. */
const LINK_WAIT_MS = 30_000;

/** Pause between two looks, in milliseconds. */
const LOOK_INTERVAL_MS = 250;

/** An agent that has been started, and whether its relay can reach it. */
export interface StartedAgent {
  readonly name: string;
  readonly linked: boolean;
  /** The reason why not, and the next step. */
  readonly linkError: string;
  readonly linkNext: string;
}

/** True if an agent of this home runs. */
export async function runsAgent(): Promise<boolean> {
  const socket = net.connect(localSocketPath(agentStateDir(homePaths.home())));
  try {
    await once(socket, "connect");
    return true;
  } catch {
    // There is no socket, or no agent listens on it.
    return false;
  } finally {
    socket.destroy();
  }
}

/** Waits until this home's agent is linked with its relay. @throws CmdopError where no agent comes at all */
export async function linkedAgent(waitMs = LINK_WAIT_MS): Promise<StartedAgent> {
  const until = performance.now() + waitMs;
  for (;;) {
    const found = await look();
    const isOver = performance.now() >= until;
    if (!(found instanceof CmdopError)) {
      if (found.linked || isOver) return found;
    } else if (isOver) throw found;
    await pause(LOOK_INTERVAL_MS);
  }
}

async function look(): Promise<StartedAgent | CmdopError> {
  try {
    await using client = CMDOPClient.local();
    const { name, linked, linkError, linkNext } = await client.health();
    return { name, linked, linkError, linkNext };
  } catch (thrown) {
    return CmdopError.from(thrown);
  }
}
