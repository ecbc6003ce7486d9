import { Agent, machineState } from "@cmdop/agent";
import { CmdopError } from "@cmdop/sdk";
import { logSettings, stderrLog } from "../console/log.ts";
import { ownRelayId } from "../home/own-relay.ts";
import { inPlaceOf } from "../service/in-place-of.ts";
import type { Manager } from "../service/manager.ts";
import { VERSION } from "../version.ts";
import { joinToken } from "./join-input.ts";
import { stopManaged, whoRunsAgent } from "./stop-managed.ts";

/**
 * Runs the agent until the relay has welcomed this machine, where there is a
 * token, so that a bad token, policy or relay is found before anything is
 * installed. One that runs already as the unit has shown that they are good; for
 * a new token it is stopped first, and runs again where that fails. Returns a
 * function that starts again what was stopped.
 */
export async function joinFirst(
  home: string,
  option: string | undefined,
  manager: Manager,
): Promise<() => Promise<void>> {
  const token = await joinToken(option);
  await refuseOwnRelay(home);
  if (token === undefined && (await whoRunsAgent()) === "unit") return async () => undefined;
  const startAgain = await stopManaged(manager);
  await inPlaceOf(startAgain, () => tryAgent(home, token));
  return startAgain;
}

async function tryAgent(home: string, token: string | undefined): Promise<void> {
  const agent = new Agent({
    home,
    joinToken: token,
    relayAddress: process.env.CMDOP_RELAY,
    version: VERSION,
    log: stderrLog(logSettings({}, "warn")),
  });
  await agent.start();
  try {
    // Without a token it has joined before: the unit's agent will find its relay when there is one to be found.
    if (token !== undefined) await agent.linked();
  } finally {
    await agent.shutdown();
  }
}

/** A machine of this home's own relay has nobody to dial, unless that runs with it. */
async function refuseOwnRelay(home: string): Promise<void> {
  const { relay } = await machineState(home);
  if (relay === undefined || relay.id !== ownRelayId()) return;
  throw new CmdopError(
    "InvalidArgument",
    "The relay of this machine is this home's own, which runs with cmdop up.",
    {
      next: "Install both: cmdop up --install. To move the machine to a relay elsewhere: cmdop up --relay ID@HOST:PORT --install.",
    },
  );
}
