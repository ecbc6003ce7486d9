import { machineState } from "@cmdop/agent";
import { pause } from "@cmdop/kit";
import { CmdopError } from "@cmdop/sdk";
import { note, warn } from "../console/output.ts";
import { homePaths } from "../home/home.ts";
import { linkedAgent, runsAgent } from "../home/running-agent.ts";
import { mcpServerBlock } from "../mcp/config.ts";
import { readOwner } from "../owner/owner.ts";
import { notItsOwner, type UpReady } from "./bring-up.ts";

/** How long another start in this home is waited for, in milliseconds: it has the files before its agent answers. */
const START_WAIT_MS = 15_000;

/** Pause between two looks at it, in milliseconds. */
const LOOK_INTERVAL_MS = 250;

/** Facts about the agent that runs in this home already, which are said, too; undefined where none does. */
export async function runningUp(): Promise<UpReady | undefined> {
  if (!(await runsAgent())) return undefined;
  const { id, name, relay } = await machineState(homePaths.home());
  if (name === undefined || relay === undefined) return undefined;
  if ((await readOwner()) === undefined) throw notItsOwner(relay);
  note(`An agent runs in ${homePaths.home()} already, and one home has one: nothing was started.`);
  await linkedAgent().then(
    ({ linked, linkError }) => linked || warn(`its relay can't reach it: ${linkError}`),
    // It may be an older one that can't tell.
    (thrown: unknown) => warn(CmdopError.from(thrown).message),
  );
  return {
    relay: relay.address,
    machine: { id, name },
    profile: homePaths.profile(),
    mcp: mcpServerBlock(homePaths.home()),
  };
}

/** The same for one that is being started: `thrown` is how this start failed, and is thrown for any other reason. */
export async function startingUp(thrown: unknown): Promise<UpReady> {
  if (!(thrown instanceof CmdopError) || thrown.code !== "AlreadyExists") throw thrown;
  for (let waitedMs = 0; waitedMs < START_WAIT_MS; waitedMs += LOOK_INTERVAL_MS) {
    const running = await runningUp();
    if (running !== undefined) return running;
    await pause(LOOK_INTERVAL_MS);
  }
  throw thrown;
}
