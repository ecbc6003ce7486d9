import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { hostAsName } from "@cmdop/proto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "../support/cluster.ts";
import { CMDOP_MAIN, CmdopProcess, cmdopEnvironment, runCmdop } from "../support/cmdop-process.ts";

const run = promisify(execFile);

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** A command of the operator with its output in a file, as a shell line does it. */
async function intoFile(name: string, args: readonly string[]): Promise<{ text: string; mode: number }> {
  const file = path.join(cluster.directory, name);
  const line = 'umask 022; file=$1; shift; "$@" > "$file"';
  await run("sh", ["-c", line, "sh", file, process.execPath, CMDOP_MAIN, ...args], {
    env: cmdopEnvironment(cluster.operatorEnv),
  });
  return { text: await readFile(file, "utf8"), mode: (await stat(file)).mode & 0o777 };
}

it("a token and a key that were sent into a file could be read by every user of the machine", async () => {
  const token = await intoFile("token", ["join-token", "web-2"]);
  expect(token.text.length).toBeGreaterThan(100);
  expect(token.mode).toBe(0o600);
  const key = await intoFile("key", ["keys", "create", "k", "--scope", "terminal", "--machine", "web-1"]);
  expect(key.text).toMatch(/^cmd_\S+\n$/);
  expect(key.mode).toBe(0o600);
});

it("three machines that joined by one token all had its name, and could not be reached", async () => {
  const made = await runCmdop(["join-token", "shop", "--uses", "3", "--json"], cluster.operatorEnv);
  const { token, name } = JSON.parse(made.stdout);
  expect(name).toBe("shop-*");
  const host = `shop-${hostAsName(os.hostname())}`;
  for (const expected of [host, `${host}-2`, `${host}-3`]) {
    const env = { CMDOP_HOME: path.join(cluster.directory, expected) };
    const agent = await CmdopProcess.start(["agent", "--json"], { ...env, CMDOP_JOIN_TOKEN: token });
    expect(agent.ready).toMatchObject({ machine: { name: expected } });
    await agent.process.stop();
  }
  // It keeps its name, whoever else has joined.
  const env = { CMDOP_HOME: path.join(cluster.directory, `${host}-2`) };
  const again = await CmdopProcess.start(["agent", "--json"], env);
  expect(again.ready).toMatchObject({ machine: { name: `${host}-2` } });
  await again.process.stop();
  const { stdout } = await runCmdop(["machines", "--json"], cluster.operatorEnv);
  const names = stdout
    .split("\n")
    .filter((line) => line.includes(host))
    .map((line) => JSON.parse(line).name);
  expect(names).toEqual([host, `${host}-2`, `${host}-3`]);
});

it("a computer with its own relay that joined another showed two fleets, each to half of the commands", async () => {
  const env = cluster.operatorEnv;
  const target = `${cluster.relayId}@${cluster.relayAddress}`;
  const up = await CmdopProcess.start(["up", "--json", "--relay", target, "--name", "laptop"], env);
  expect(up.ready).toMatchObject({ relay: cluster.relayAddress, machine: { name: "laptop" } });
  const { stdout } = await runCmdop(["machines"], env);
  expect(stdout).toMatch(/^laptop +online\b/m);
  for (const machine of ["laptop", "web-1"]) {
    expect(await runCmdop(["exec", machine, "echo hi"], env)).toMatchObject({ stdout: "hi\n" });
  }
  expect((await runCmdop(["owner", "relay"], env)).stdout).toBe(`${target}\n`);
  // A move beside its running agent would leave that at its relay, and the home half moved.
  const elsewhere = `${"A".repeat(43)}@127.0.0.1:1`;
  const beside = await runCmdop(["up", "--relay", elsewhere], env);
  expect(beside).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("would stay at its relay") });
  expect((await runCmdop(["owner", "relay"], env)).stdout).toBe(`${target}\n`);
  await up.process.stop();
  // From now on that is so without being said, and without the passphrase.
  const again = await CmdopProcess.start(["up", "--json"], { CMDOP_HOME: cluster.operatorHome });
  expect(again.ready).toEqual(up.ready);
  await again.process.stop();
});

it("a token made beside cmdop up's relay named 127.0.0.1, and other machines could not join with it", async () => {
  const { stdout, stderr } = await runCmdop(["join-token", "web-3"], cluster.operatorEnv);
  expect(stdout).toMatch(/^\S+\n$/);
  expect(stderr).toMatch(/^warning: .* only this computer reaches, .*\nnext: .*--public-address HOST:PORT/m);
  expect(stderr).not.toContain("--join");
});

it("the block for the client could not be had again, and a new key had to be put into it by hand", async () => {
  const args = ["keys", "create", "mine", "--scope", "terminal", "--scope", "machines:read"];
  const saved = await runCmdop([...args, "--machine", "web-1", "--save"], cluster.operatorEnv);
  expect(saved).toMatchObject({ exitCode: 0 });
  expect(saved.stdout + saved.stderr).not.toMatch(/cmd_/);
  const { stdout } = await runCmdop(["mcp", "config", "--json"], cluster.operatorEnv);
  const { command, args: words, env } = JSON.parse(stdout).mcpServers.cmdop;
  expect([command, ...words]).toEqual([process.execPath, CMDOP_MAIN, "mcp"]);
  expect(stdout).not.toMatch(/cmd_/);
  // The home that it names is all that the server needs.
  expect((await runCmdop(["exec", "web-1", "echo hi"], env)).stdout).toBe("hi\n");
  const nowhere = path.join(cluster.directory, "nowhere");
  await mkdir(nowhere);
  await chmod(nowhere, 0o700);
  const without = await runCmdop(["mcp", "config"], { CMDOP_HOME: nowhere });
  expect(without.stderr).toContain("has no key yet: run cmdop up");
});

it("a relay and an agent ended when the terminal that they were started in was closed", async () => {
  cluster.relay.child.kill("SIGHUP");
  for (const machine of cluster.machines) machine.process.child.kill("SIGHUP");
  expect((await runCmdop(["exec", "web-1", "echo still"], cluster.operatorEnv)).stdout).toBe("still\n");
  expect([cluster.relay.child.exitCode, cluster.relay.child.signalCode]).toEqual([null, null]);
});
