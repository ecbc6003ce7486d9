import { parseApiKey } from "@cmdop/proto";
import { CMDOPClient, CmdopError, type MachineStatus, type WhoAmI } from "@cmdop/sdk";
import { homePaths } from "../home/home.ts";
import { readOwner } from "../owner/owner.ts";
import { rememberedRelay } from "../owner/relay.ts";
import { VERSION } from "../version.ts";
import { findKey } from "./find-key.ts";

/** Everything that this home is and has. */
export interface HomeStatus {
  readonly version: string;
  readonly home: string;
  /** Public key of the owner whose key is here; null if none is. */
  readonly owner: string | null;
  /** `ID@HOST:PORT` of the relay of this home; null if it has none. */
  readonly relay: string | null;
  /** True if the relay has answered. */
  readonly reachable: boolean;
  /** The key, as the relay knows it; null if there is none or the relay did not answer it. */
  readonly key: Pick<WhoAmI, "keyId" | "name" | "scopes" | "expiresAtMs" | "owner"> | null;
  readonly machines: readonly MachineStatus[];
  /** The agent that runs here; null if none does. */
  readonly agent: {
    readonly id: string;
    readonly name: string;
    readonly version: string;
    readonly relay: string;
    readonly linked: boolean;
  } | null;
  /** The reasons why parts of this are missing. */
  readonly errors: readonly string[];
}

/** Gathers the status of this home; what can't be had is said and left out. */
export async function homeStatus(): Promise<HomeStatus> {
  const errors: string[] = [];
  const say = (thrown: unknown): undefined => {
    errors.push(CmdopError.from(thrown).message);
    return undefined;
  };
  const owner = await readOwner().catch(say);
  const found = findKey();
  const apiKey = "verdict" in found ? undefined : found.apiKey;
  if ("verdict" in found && found.verdict === "failed") errors.push(found.text);
  const [who, agent] = await Promise.all([
    apiKey === undefined ? undefined : askRelay(apiKey).catch(say),
    askAgent().catch(say),
  ]);
  return {
    version: VERSION,
    home: homePaths.home(),
    owner: owner?.owner ?? null,
    relay: (await relayOf(apiKey).catch(say)) ?? agent?.relay ?? null,
    reachable: who !== undefined,
    key: who === undefined ? null : keyOf(who),
    machines: who?.machines ?? [],
    agent: agent ?? null,
    errors,
  };
}

function keyOf({ keyId, name, scopes, expiresAtMs, owner }: WhoAmI): HomeStatus["key"] {
  return { keyId, name, scopes, expiresAtMs, owner };
}

async function relayOf(apiKey: string | undefined): Promise<string | undefined> {
  if (apiKey === undefined) return rememberedRelay();
  const { relay } = parseApiKey(apiKey);
  return `${relay.id}@${process.env.CMDOP_RELAY || relay.address}`;
}

async function askRelay(apiKey: string): Promise<WhoAmI> {
  await using client = CMDOPClient.remote({ apiKey });
  return await client.whoAmI();
}

/** Undefined where no agent runs. */
async function askAgent(): Promise<HomeStatus["agent"] | undefined> {
  await using client = CMDOPClient.local();
  try {
    const { id, name, agentVersion: version, relay, linked } = await client.health();
    return { id, name, version, relay, linked };
  } catch (thrown) {
    const { code } = CmdopError.from(thrown);
    if (code === "MachineOffline") return undefined;
    throw thrown;
  }
}
