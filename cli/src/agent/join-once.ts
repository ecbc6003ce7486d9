import { Agent } from "@cmdop/agent";
import { logSettings, stderrLog } from "../console/log.ts";
import { VERSION } from "../version.ts";
import { joinToken } from "./join-input.ts";

/**
 * Runs the agent until the relay has welcomed this machine, with a token where
 * it has never joined; so a bad token, policy or relay is found before anything
 * is installed. Returns the machine's name.
 */
export async function joinOnce(home: string, option: string | undefined): Promise<string> {
  const token = await joinToken(option);
  const agent = new Agent({
    home,
    joinToken: token,
    relayAddress: process.env.CMDOP_RELAY,
    version: VERSION,
    log: stderrLog(logSettings({}, "warn")),
  });
  // It has joined before: the unit's agent will find its relay when there is one to be found.
  await agent.start();
  try {
    if (token !== undefined) await agent.linked();
    return agent.identity.name;
  } finally {
    await agent.shutdown();
  }
}
