import { Agent, machineState } from "@cmdop/agent";
import { homePaths } from "../home/home.ts";
import { goodKey, writeProfile } from "../home/profile.ts";
import { type McpServerBlock, mcpServerBlock } from "../mcp/config.ts";
import { readOwner } from "../owner/owner.ts";
import { rememberRelay } from "../owner/relay.ts";
import { VERSION } from "../version.ts";
import { startUpRelay, upLog } from "./relay.ts";

/** Options of `cmdop up`. */
export interface UpOptions {
  readonly name?: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly log?: string | undefined;
  readonly logLevel?: string | undefined;
}

/** Facts that `cmdop up` prints when all is ready. */
export interface UpReady {
  /** `host:port`. */
  readonly relay: string;
  readonly machine: { readonly id: string; readonly name: string };
  /** The file with the key that programs of this user use when they are told nothing else. */
  readonly profile: string;
  /** The block to paste into an MCP client. */
  readonly mcp: McpServerBlock;
}

/** The relay and agent that run until they are shut down. */
export interface Up {
  readonly ready: UpReady;
  shutdown(): Promise<void>;
}

/**
 * Brings up relay and agent in this process, from what the owner has signed
 * before: nothing here has the owner's key, since the agent's jobs could read
 * this process's memory. Undefined where something has to be signed first (see
 * signForUp); with `isSigned` that has just been done.
 */
export async function bringUp(options: UpOptions, isSigned: boolean): Promise<Up | undefined> {
  const owner = await readOwner();
  if (owner === undefined) return undefined;
  const relay = await startUpRelay(options, owner.owner);
  let agent: Agent | undefined;
  const shutdown = async (): Promise<void> => {
    await agent?.shutdown();
    await relay.shutdown();
  };
  try {
    const target = { id: relay.id, address: relay.address };
    const apiKey = await goodKey(target);
    const hasJoined = isSigned || (await machineState(homePaths.home())).name !== undefined;
    if (apiKey === undefined || !hasJoined) {
      await shutdown();
      return undefined;
    }
    await rememberRelay(target);
    agent = new Agent({
      home: homePaths.home(),
      relayAddress: relay.address,
      version: VERSION,
      log: upLog(options),
    });
    await agent.start();
    await agent.linked();
    const { id, name } = agent.identity;
    await writeProfile({ apiKey, machine: name });
    const ready = {
      relay: relay.address,
      machine: { id, name },
      profile: homePaths.profile(),
      mcp: mcpServerBlock(homePaths.home()),
    };
    return { ready, shutdown };
  } catch (thrown) {
    await shutdown();
    throw thrown;
  }
}
