import { Agent, machineState } from "@cmdop/agent";
import type { RelayTarget } from "@cmdop/proto";
import { CmdopError } from "@cmdop/sdk";
import { homePaths } from "../home/home.ts";
import { relayElsewhere } from "../home/own-relay.ts";
import { goodKey, writeProfile } from "../home/profile.ts";
import { type McpServerBlock, mcpServerBlock } from "../mcp/config.ts";
import { readOwner } from "../owner/owner.ts";
import { rememberUnlessOther } from "../owner/relay.ts";
import { VERSION } from "../version.ts";
import { startUpRelay, upLog } from "./relay.ts";

/** Options of `cmdop up`. */
export interface UpOptions {
  readonly name?: string | undefined;
  readonly host: string;
  readonly port: number;
  /** `ID@HOST:PORT` of a relay elsewhere; without it, the relay that this home belongs to, else its own. */
  readonly relay?: string | undefined;
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
  if (owner === undefined) {
    const { relay: joined } = await machineState(homePaths.home());
    if (joined !== undefined) throw notItsOwner(joined);
    return undefined;
  }
  const elsewhere = await relayElsewhere(options.relay);
  const relay = await startUpRelay(options, owner.owner, elsewhere);
  let agent: Agent | undefined;
  const shutdown = async (): Promise<void> => {
    await agent?.shutdown();
    await relay.shutdown();
  };
  try {
    const apiKey = await goodKey(relay.target);
    const machine = await machineState(homePaths.home());
    const hasJoined = isSigned || machine.relay?.id === relay.target.id;
    if (apiKey === undefined || !hasJoined) {
      await shutdown();
      return undefined;
    }
    // The owner may have said that other commands go elsewhere (cmdop owner relay).
    await rememberUnlessOther(relay.target);
    agent = new Agent({
      home: homePaths.home(),
      relayAddress: relay.target.address,
      version: VERSION,
      log: upLog(options),
    });
    await agent.start();
    await agent.linked();
    const { id, name } = agent.identity;
    await writeProfile({ apiKey, machine: name });
    const ready = {
      relay: relay.target.address,
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

/** `up` signs as this home's owner, and there is none. */
export function notItsOwner({ address }: RelayTarget): CmdopError {
  return new CmdopError(
    "Unauthenticated",
    `This computer has joined the relay ${address} as a machine of another owner.`,
    {
      next: "cmdop agent runs it. To be a machine of your own as well, use another home: CMDOP_HOME=~/.cmdop-own cmdop up.",
    },
  );
}
