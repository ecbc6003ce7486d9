import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Agent } from "@cmdop/agent";
import { formatApiKey, generateKeyPair } from "@cmdop/proto";
import { Relay } from "@cmdop/relay";
import { CMDOPClient } from "@cmdop/sdk";
import { type CutProxy, startCutProxy } from "./cut-proxy.ts";
import type { Random } from "./random.ts";

/** Pauses of SDK and agent between two attempts to come back: so short that hundreds of cuts take seconds. */
const QUICK = { firstPauseMs: 1, maxPauseMs: 20 };

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Relay, agent and client in this process, with a proxy before the relay on either side that cuts. */
export interface CutWorld extends AsyncDisposable {
  readonly client: CMDOPClient;
  /** A directory for the test's own files. */
  readonly directory: string;
  /** Connections that were cut so far, on both sides. */
  readonly cuts: number;
  /** While false, nothing is cut; so at first. */
  cutting: boolean;
}

/** Brings them up; each connection will be cut after at most `maxBytes`. */
export async function startCutWorld(random: Random, maxBytes: number): Promise<CutWorld> {
  await using undo = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-cuts-"));
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  const owner = generateKeyPair();
  const relay = new Relay({ stateDir: path.join(directory, "relay"), ownerPublicKey: owner.publicKey });
  await relay.listen();
  undo.defer(() => relay.shutdown());
  const target = { id: relay.id, address: relay.address };
  const proxies: CutProxy[] = [];
  for (let side = 0; side < 2; side++) {
    proxies.push(undo.use(await startCutProxy(relay.address, random, maxBytes)));
  }
  const [towardsSdk, towardsAgent] = proxies;

  await using asOwner = CMDOPClient.remote({ apiKey: formatApiKey({ key: owner, relay: target }) });
  await asOwner.roster.ensure([owner.publicKey]);
  const agent = new Agent({
    home: path.join(directory, "machine"),
    joinToken: await asOwner.machines.createJoinToken({ name: "web-1" }),
    relayAddress: towardsAgent?.address,
    backoff: QUICK,
    version: "0.0.0-test",
    log: SILENT,
  });
  undo.defer(() => agent.shutdown());
  await agent.start();
  await agent.linked();
  const { apiKey } = await asOwner.keys.create({
    name: "test",
    scopes: ["terminal", "files:read", "files:write"],
    machines: ["web-1"],
  });
  const client = CMDOPClient.remote({
    apiKey,
    relay: towardsSdk?.address,
    machine: "web-1",
    reconnect: QUICK,
  });
  undo.defer(() => client.close());

  const all = undo.move();
  return {
    client,
    directory,
    get cuts() {
      return proxies.reduce((sum, { cuts }) => sum + cuts, 0);
    },
    get cutting() {
      return proxies.every(({ cutting }) => cutting);
    },
    set cutting(on) {
      for (const proxy of proxies) proxy.cutting = on;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
