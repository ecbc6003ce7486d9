import { cp, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "../support/cluster.ts";
import { CmdopProcess, runCmdop } from "../support/cmdop-process.ts";
import { waitUntil } from "../support/wait.ts";

let cluster: Cluster;
let first: ClusterMachine;
let second: ClusterMachine;
let backup: string;
const keys: Record<"old" | "revoked" | "late", { apiKey: string; keyId: string }> = {
  old: { apiKey: "", keyId: "" },
  revoked: { apiKey: "", keyId: "" },
  late: { apiKey: "", keyId: "" },
};

const state = (name: string): string => path.join(cluster.relayHome, "relay", name);

async function owner(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runCmdop(args, cluster.operatorEnv);
  if (exitCode !== 0) throw new Error(`cmdop ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** What a command on a machine says: its name on the line that it prints, or why not. */
async function run(apiKey: string, machine: string): Promise<string> {
  const { stdout, stderr } = await runCmdop(["exec", "-n", machine, "--", "echo", "it runs"], {
    CMDOP_API_KEY: apiKey,
  });
  return stdout + stderr;
}

const isOnline = async (name: string): Promise<boolean> =>
  (await owner("machines", "--json"))
    .split("\n")
    .some((line) => line !== "" && JSON.parse(line).name === name && JSON.parse(line).online);

beforeAll(async () => {
  cluster = await Cluster.start();
  first = await cluster.addMachine("first");
  const scopes = ["terminal"];
  keys.old = await cluster.createKey({ name: "old", scopes, machines: ["*"] });
  keys.revoked = await cluster.createKey({ name: "revoked", scopes, machines: ["*"] });
  backup = path.join(cluster.directory, "backup");
  await cluster.relay.stop();
  await cp(cluster.relayHome, backup, { recursive: true });
  await cluster.restartRelay();
  second = await cluster.addMachine("second");
  keys.late = await cluster.createKey({ name: "late", scopes, machines: ["*"] });
  await owner("keys", "revoke", keys.revoked.keyId);
});
afterAll(() => cluster[Symbol.asyncDispose]());

describe("the relay's disk was lost, and a backup of last week put back", () => {
  it("a machine that joined since is back by itself, what was revoked stays revoked, and the owner brings the newer keys", async () => {
    await cluster.relay.stop();
    await rm(cluster.relayHome, { recursive: true });
    await cp(backup, cluster.relayHome, { recursive: true });
    await cluster.restartRelay();
    await waitUntil(() => isOnline("second"));
    expect(await run(keys.old.apiKey, "second")).toContain("it runs");
    expect(await run(keys.revoked.apiKey, "first")).toContain("revoked");
    await owner("owner", "teach");
    expect(await run(keys.late.apiKey, "second")).toContain("it runs");
    const listed = await owner("keys", "list", "--all", "--json");
    const states = listed.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
    expect(states.map(({ name, state }) => [name, state]).sort()).toEqual([
      ["late", "active"],
      ["old", "active"],
      ["revoked", "revoked"],
    ]);
    expect([first.process.stderr, second.process.stderr].join("")).not.toContain("joined already");
  });

  it("relay.db is gone: the relay says so; the owner's next command, whatever it is, teaches it everything", async () => {
    await cluster.relay.stop();
    for (const end of ["", "-wal", "-shm"]) await rm(state(`relay.db${end}`), { force: true });
    await cluster.restartRelay();
    await waitUntil(() => cluster.relay.stderr.includes("relay.db is gone"));
    // Whoever comes first, machine or owner, brings the roster; the grants are the owner's to bring.
    await owner("owner", "teach");
    await waitUntil(async () => (await isOnline("first")) && (await isOnline("second")));
    expect(await run(keys.late.apiKey, "first")).toContain("it runs");
    expect(await run(keys.revoked.apiKey, "first")).toMatch(/revoked|knows no key/);
  });

  it("ca.pem is gone or damaged: the relay does not start, and names file, relay and next step", async () => {
    await cluster.relay.stop();
    const pem = await readFile(state("ca.pem"));
    for (const spoil of [
      () => rm(state("ca.pem")),
      () => writeFile(state("ca.pem"), pem.subarray(0, 200), { mode: 0o600 }),
    ]) {
      await spoil();
      const why: unknown = await cluster.restartRelay().catch((thrown) => thrown);
      expect(String(why)).toContain(state("ca.pem"));
      expect(String(why)).toContain("backup");
    }
    await writeFile(state("ca.pem"), pem, { mode: 0o600 });
    await cluster.restartRelay();
    await waitUntil(() => isOnline("first"));
  });

  it("a machine that was removed by mistake joins again with a new token, and keeps its key and its policy", async () => {
    await owner("machines", "remove", "second", "--yes");
    await waitUntil(() => second.process.stderr.includes("does not know its machine"));
    const token = JSON.parse(await owner("join-token", "second", "--json")).token;
    await second.process.stop();
    const { process } = await CmdopProcess.start(["agent", "--json"], {
      CMDOP_HOME: second.home,
      CMDOP_JOIN_TOKEN: token,
    });
    second.process = process;
    expect(await run(keys.old.apiKey, "second")).toContain("it runs");
  });
});
