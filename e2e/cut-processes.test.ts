import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { runCmdop } from "./support/cmdop-process.ts";
import { type CutProxy, startCutProxy } from "./support/cut-proxy.ts";
import { Random, SEED } from "./support/random.ts";
import { waitUntil } from "./support/wait.ts";

/** Few, since nothing shortens the pauses of an agent as it is shipped: up to 5 s. */
const CUTS = 6;

/** A connection lives for this many bytes at most. */
const MAX_CONNECTION_BYTES = 200_000;

const LINES = 15_000;

let cluster: Cluster;
let towardsAgent: CutProxy;
let towardsCaller: CutProxy;
let env: Record<string, string>;

beforeAll(async () => {
  cluster = await Cluster.start();
  const random = new Random(SEED);
  towardsAgent = await startCutProxy(cluster.relayAddress, random, MAX_CONNECTION_BYTES);
  towardsCaller = await startCutProxy(cluster.relayAddress, random, MAX_CONNECTION_BYTES);
  await cluster.addMachine("web-1", { relay: towardsAgent.address });
  const { apiKey } = await cluster.createKey({ scopes: ["terminal"], machines: ["web-1"] });
  env = { CMDOP_API_KEY: apiKey, CMDOP_RELAY: towardsCaller.address };
});
afterAll(async () => {
  await towardsAgent[Symbol.asyncDispose]();
  await towardsCaller[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

/** How many times a command ran that says so in this file. */
const runs = async (file: string): Promise<number> => (await readFile(file, "utf8")).split("\n").length - 1;

describe(`promise 3, between real processes, over ${CUTS} cut connections (CMDOP_TEST_SEED=${SEED})`, () => {
  it("promise 3: cmdop exec passes on the whole output and the true exit code of a command that ran once", async () => {
    const cuts = () => towardsAgent.cuts + towardsCaller.cuts;
    const file = path.join(cluster.directory, "runs");
    const gate = path.join(cluster.directory, "gate");
    await writeFile(file, "");
    const numbers = Array.from({ length: LINES }, (_, index) => `${index + 1}\n`).join("");
    for (let commands = 1; cuts() < CUTS; commands++) {
      const line = `echo run >> ${file}; while [ ! -e ${gate} ]; do sleep 0.05; done; seq 1 ${LINES}; seq 1 ${LINES} >&2; exit 43`;
      const running = runCmdop(["exec", "web-1", line], env);
      // Before it has begun, a cut is told to the caller, who may try again.
      await waitUntil(async () => (await runs(file)) === commands);
      towardsAgent.cutting = true;
      towardsCaller.cutting = true;
      await writeFile(gate, "");
      const { exitCode, stdout, stderr } = await running;
      towardsAgent.cutting = false;
      towardsCaller.cutting = false;
      await rm(gate);
      expect(exitCode).toBe(43);
      expect(stdout === numbers).toBe(true);
      // In between cmdop says that the connection was lost, and is back.
      expect(stderr.replaceAll(/cmdop: .*\n/g, "") === numbers).toBe(true);
      expect(await runs(file)).toBe(commands);
    }
  });
});
