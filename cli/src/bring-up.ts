import os from "node:os";
import { Agent, type Log } from "@cmdop/agent";
import { formatApiKey, nameSchema, parseApiKey, type RelayTarget, SCOPES } from "@cmdop/proto";
import { Relay } from "@cmdop/relay";
import { CMDOPClient, CmdopError } from "@cmdop/sdk";
import { homePaths, readSecretFile, writeSecretFile } from "./home.ts";
import { stderrLog } from "./log.ts";
import { type McpServerBlock, mcpServerBlock } from "./mcp-config.ts";
import { createOwner, loadOwner, type Owner, rememberRelay } from "./owner.ts";
import { VERSION } from "./version.ts";

/** How `cmdop up` was asked for. */
export interface UpOptions {
  readonly name?: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly log?: "text" | "json" | undefined;
}

/** What `cmdop up` prints when all is ready. */
export interface UpReady {
  /** `host:port`. */
  readonly relay: string;
  readonly machine: { readonly id: string; readonly name: string };
  /** The file with the key that programs of this user use when they are told nothing else. */
  readonly profile: string;
  /** The block to paste into an MCP client. */
  readonly mcp: McpServerBlock;
}

/** A key of the profile is replaced when less than this is left of its life, in milliseconds. */
const RENEW_KEY_BEFORE_END_MS = 7 * 24 * 60 * 60 * 1000;

/** What a key of `up` may do: everything on this one machine except administration. */
const PROFILE_SCOPES = SCOPES.filter((scope) => scope !== "admin" && scope !== "approve");

/** Brings up owner, relay and agent in this process and writes the profile. */
export async function bringUp(options: UpOptions): Promise<{ ready: UpReady; shutdown(): Promise<void> }> {
  if (options.name !== undefined) checkName(options.name);
  const owner = (await loadOwner()) ?? (await createOwner());
  const log = options.log === undefined ? warningsOnly(stderrLog("text")) : stderrLog(options.log);
  const relay = new Relay({
    stateDir: homePaths.relay(),
    ownerPublicKey: owner.key.publicKey,
    host: options.host,
    port: options.port,
    log,
  });
  await relay.listen();
  let agent: Agent | undefined;
  const shutdown = async (): Promise<void> => {
    await agent?.shutdown();
    await relay.shutdown();
  };
  try {
    const target = { id: relay.id, address: relay.address };
    await using asOwner = clientAs(owner, target);
    await asOwner.roster.ensure(owner.publicKeys);
    await rememberRelay(target);
    agent = await startAgent(asOwner, target, options.name, log);
    await agent.linked();
    const { id, name } = agent.identity;
    await ensureProfile(asOwner, target, { id, name });
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

function clientAs(owner: Owner, relay: RelayTarget): CMDOPClient {
  return CMDOPClient.remote({ apiKey: formatApiKey({ key: owner.key, relay }), relay: relay.address });
}

async function startAgent(
  owner: CMDOPClient,
  relay: RelayTarget,
  name: string | undefined,
  log: Log,
): Promise<Agent> {
  const options = {
    home: homePaths.home(),
    relayAddress: relay.address,
    version: VERSION,
    log,
  };
  const joined = new Agent(options);
  try {
    await joined.start();
    return joined;
  } catch (thrown) {
    // LinkRefused before any dialling: this machine has never joined.
    if (!(thrown instanceof CmdopError) || thrown.code !== "LinkRefused") throw thrown;
  }
  const joinToken = await owner.machines.createJoinToken({ name: name ?? hostName() });
  const agent = new Agent({ ...options, joinToken });
  await agent.start();
  return agent;
}

/**
 * Writes a profile with a key for this machine alone: the one that it has, while
 * that is good (its jobs are known by it), else a new one for 90 days.
 */
async function ensureProfile(
  owner: CMDOPClient,
  relay: RelayTarget,
  machine: { readonly id: string; readonly name: string },
): Promise<void> {
  const found = await readSecretFile(homePaths.profile());
  const apiKey = (found && (await stillGood(found, relay))) || (await newKey(owner, machine));
  const profile = `${JSON.stringify({ apiKey, machine: machine.name }, null, 2)}\n`;
  if (profile !== found) await writeSecretFile(homePaths.profile(), profile);
}

async function newKey(
  owner: CMDOPClient,
  machine: { readonly id: string; readonly name: string },
): Promise<string> {
  const name = `up-${machine.name}`.slice(0, 63);
  const { apiKey } = await owner.keys.create({ name, scopes: PROFILE_SCOPES, machines: [machine.id] });
  return apiKey;
}

/** The profile's key, with the address that the relay has now; undefined where it can't be used for long. */
async function stillGood(profile: string, relay: RelayTarget): Promise<string | undefined> {
  try {
    const { key, relay: before } = parseApiKey(JSON.parse(profile).apiKey);
    if (before.id !== relay.id) return undefined;
    const apiKey = formatApiKey({ key, relay });
    await using client = CMDOPClient.remote({ apiKey, relay: relay.address });
    const { expiresAtMs } = await client.whoAmI();
    const isGood = expiresAtMs !== null && expiresAtMs - Date.now() > RENEW_KEY_BEFORE_END_MS;
    return isGood ? apiKey : undefined;
  } catch (thrown) {
    // Damaged, revoked or of another relay: all of them call for a new key.
    if (thrown instanceof SyntaxError || thrown instanceof CmdopError || thrown instanceof TypeError)
      return undefined;
    throw thrown;
  }
}

function checkName(name: string): void {
  if (nameSchema.safeParse(name).success) return;
  throw new CmdopError("InvalidArgument", `${JSON.stringify(name)} can't be a machine's name.`, {
    next: "A name has 1 to 63 letters, digits, dots, dashes or underscores.",
  });
}

/** The host name as a machine name: only the characters that names may have. */
function hostName(): string {
  const name = os
    .hostname()
    .replace(/[^a-zA-Z0-9._-]+/g, "-")
    .replace(/^[^a-zA-Z0-9]+|[^a-zA-Z0-9]+$/g, "")
    .slice(0, 63);
  return name === "" ? "this-machine" : name;
}

function warningsOnly(log: Log): Log {
  return { ...log, info: () => undefined };
}
