import { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll } from "vitest";
import { Cluster, type ClusterMachine } from "./cluster.ts";

/** The two ways to one machine. */
export type Door = "relay" | "local";

/** A cluster with one machine, for all tests of a file, and a client for each way to it. */
export interface Doors {
  readonly cluster: () => Cluster;
  readonly machine: () => ClusterMachine;
  readonly client: (door: Door) => CMDOPClient;
}

/** Sets them up before the tests of this file and takes them down after. */
export function useDoors(): Doors {
  let started: { cluster: Cluster; machine: ClusterMachine; clients: Record<Door, CMDOPClient> } | undefined;
  beforeAll(async () => {
    const cluster = await Cluster.start();
    const machine = await cluster.addMachine("web-1");
    const clients = { relay: await cluster.client(), local: CMDOPClient.local({ home: machine.home }) };
    started = { cluster, machine, clients };
  });
  afterAll(async () => {
    await started?.clients.relay.close();
    await started?.clients.local.close();
    await started?.cluster[Symbol.asyncDispose]();
  });
  const all = () => {
    if (started === undefined) throw new TypeError("not started yet");
    return started;
  };
  return {
    cluster: () => all().cluster,
    machine: () => all().machine,
    client: (door) => all().clients[door],
  };
}
