import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Agent } from "@cmdop/agent";
import { formatApiKey, generateKeyPair, type KeyPair } from "@cmdop/proto";
import { Relay } from "@cmdop/relay";
import { CMDOPClient } from "@cmdop/sdk";

/** Pauses of SDK and agents between two attempts to come back. */
const QUICK = { firstPauseMs: 1, maxPauseMs: 20 };

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A machine of the world; its agent can be stopped and started again. */
export interface OwnersMachine {
  readonly id: string;
  readonly home: string;
  readonly agent: Agent;
}

/** An owner, a recovery owner, a relay and agents in this process: for tests of who may do what. */
export interface OwnersWorld extends AsyncDisposable {
  readonly owner: KeyPair;
  readonly recovery: KeyPair;
  readonly asOwner: CMDOPClient;
  /** A client that acts with a key pair of its own, an owner's for instance. */
  as(key: KeyPair): CMDOPClient;
  /** A client with an API key. */
  client(apiKey: string, machine?: string): CMDOPClient;
  /** Joins a machine by a token of `by`, the owner unless given. */
  addMachine(
    name: string,
    options?: { labels?: Record<string, string>; by?: CMDOPClient },
  ): Promise<OwnersMachine>;
  /** Starts the agent of a machine that was shut down. */
  startAgain(machine: OwnersMachine): Promise<OwnersMachine>;
  /** Where the relay keeps its state. */
  readonly relayDirectory: string;
  /** Ends the relay, lets `meanwhile` happen, and starts it again, on the same port and directory. */
  restartRelay(meanwhile?: () => Promise<void> | void): Promise<void>;
}

/** Brings one up, with the roster that `cmdop init` makes: owner and recovery owner. */
export async function startOwnersWorld(): Promise<OwnersWorld> {
  const undo = new AsyncDisposableStack();
  const directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-trust-"));
  undo.defer(() => rm(directory, { recursive: true, force: true }));
  const [owner, recovery] = [generateKeyPair(), generateKeyPair()];
  const newRelay = (port: number): Relay =>
    new Relay({
      stateDir: path.join(directory, "relay"),
      ownerPublicKey: owner.publicKey,
      port,
      times: { shutdownDrainMs: 50 },
    });
  let relay = newRelay(0);
  await relay.listen();
  undo.defer(() => relay.shutdown());
  const target = { id: relay.id, address: relay.address };
  const { port } = relay;

  const client = (apiKey: string, machine?: string): CMDOPClient => {
    const made = CMDOPClient.remote({ apiKey, relay: target.address, machine, reconnect: QUICK });
    undo.defer(() => made.close());
    return made;
  };
  const as = (key: KeyPair): CMDOPClient => client(formatApiKey({ key, relay: target }));
  const asOwner = as(owner);
  await asOwner.roster.ensure([owner.publicKey, recovery.publicKey]);

  const startAgent = async (home: string, joinToken?: string): Promise<OwnersMachine> => {
    const agent = new Agent({ home, joinToken, backoff: QUICK, version: "0.0.0-test", log: SILENT });
    undo.defer(() => agent.shutdown());
    await agent.start();
    await agent.linked();
    return { id: agent.identity.id, home, agent };
  };
  let machines = 0;
  return {
    owner,
    recovery,
    asOwner,
    as,
    client,
    async addMachine(name, { labels = {}, by = asOwner } = {}) {
      machines += 1;
      const joinToken = await by.machines.createJoinToken({ name, labels });
      return startAgent(path.join(directory, `machine-${machines}`), joinToken);
    },
    startAgain: ({ home }) => startAgent(home),
    relayDirectory: path.join(directory, "relay"),
    async restartRelay(meanwhile = () => undefined) {
      await relay.shutdown();
      await meanwhile();
      relay = newRelay(port);
      await relay.listen();
    },
    [Symbol.asyncDispose]: () => undo.disposeAsync(),
  };
}
