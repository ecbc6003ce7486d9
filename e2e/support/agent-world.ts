import { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll } from "vitest";
import { Cluster, type ClusterMachine } from "./cluster.ts";
import { ModelServer } from "./model-server.ts";

/** A cluster with one machine, whose model does what a test says. */
export interface AgentWorld {
  readonly cluster: Cluster;
  readonly machine: ClusterMachine;
  readonly model: ModelServer;
  /** May do everything, through the relay. */
  readonly client: CMDOPClient;
  readonly apiKey: string;
}

/** Sets it up before the tests of this file and takes it down after. */
export function useAgentWorld(): () => AgentWorld {
  let world: AgentWorld | undefined;
  beforeAll(async () => {
    const model = await ModelServer.start();
    const cluster = await Cluster.start();
    const machine = await cluster.addMachine("web-1");
    await model.serve(machine.home);
    const scopes = ["agent", "terminal", "files:read", "files:write"];
    const { apiKey } = await cluster.createKey({ scopes, machines: ["*"] });
    world = { cluster, machine, model, apiKey, client: CMDOPClient.remote({ apiKey }) };
  });
  afterAll(async () => {
    await world?.client.close();
    await world?.cluster[Symbol.asyncDispose]();
    await world?.model[Symbol.asyncDispose]();
  });
  return () => {
    if (world === undefined) throw new TypeError("not started yet");
    return world;
  };
}
