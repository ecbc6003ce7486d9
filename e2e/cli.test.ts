import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { CmdopProcess, runCmdop, runShell } from "./support/cmdop-process.ts";
import { connectMcp } from "./support/mcp-client.ts";

const COMMANDS = [
  "up",
  "exec",
  "machines",
  "mcp",
  "init",
  "relay",
  "join-token",
  "agent",
  "keys",
  "keys create",
];

describe("the command line itself", () => {
  it.each(COMMANDS)("cmdop %s --help explains itself", async (command) => {
    const { exitCode, stdout } = await runCmdop([...command.split(" "), "--help"], {});
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Usage: cmdop");
  });

  it.each([
    ["an unknown command", ["no-such-command"]],
    ["a missing argument", ["exec", "web-1"]],
    ["an unknown option", ["exec", "web-1", "--no-such-option", "ls"]],
    ["a bad port", ["up", "--port", "http"]],
    ["a bad duration", ["join-token", "web-1", "--expires", "soon"]],
    ["a bad scope", ["keys", "create", "k", "--scope", "root", "--machine", "web-1"]],
    ["a bad machine name", ["up", "--name", "a/b"]],
    ["a bad count", ["join-token", "web-1", "--uses", "0"]],
    ["a bad owner", ["relay", "--owner", "x"]],
    ["a bad style of tool names", ["mcp", "--tool-names", "camel"]],
  ])("%s exits with 2 and a hint", async (_title, args) => {
    const { exitCode, stderr } = await runCmdop(args, { CMDOP_HOME: "/nonexistent" });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/error: .+\n.+/);
  });

  it.each(["-V", "-h"])("an id that begins with %s is a value, not an option", async (prefix) => {
    const relay = `${prefix}${"A".repeat(41)}@127.0.0.1:1`;
    for (const command of [
      ["join-token", "web-1"],
      ["keys", "create", "k", "--scope", "terminal", "--machine", "web-1"],
    ]) {
      const { stderr } = await runCmdop([...command, "--relay", relay], { CMDOP_HOME: "/nonexistent" });
      expect(stderr).toContain("There is no owner key");
    }
  });

  it("without a profile it says what to do", async () => {
    const { exitCode, stderr } = await runCmdop(["machines"], { CMDOP_HOME: "/nonexistent" });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("next:  Run cmdop up");
  });

  it("a damaged key is refused without being repeated", async () => {
    const { exitCode, stderr } = await runCmdop(["machines"], { CMDOP_API_KEY: "cmd_c2VjcmV0c2VjcmV0" });
    expect(exitCode).toBe(1);
    expect(stderr).not.toContain("c2VjcmV0");
  });
});

describe("cmdop exec", () => {
  let cluster: Cluster;
  let env: Record<string, string>;
  beforeAll(async () => {
    cluster = await Cluster.start();
    await cluster.addMachine("web-1");
    const { apiKey } = await cluster.createKey({
      scopes: ["terminal", "machines:read"],
      machines: ["web-1"],
    });
    env = { CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(cluster.directory, "caller") };
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it("is the command: its streams and its exit code", async () => {
    const result = await runCmdop(["exec", "web-1", "cat; echo err >&2; exit 3"], env, "typed");
    expect(result).toEqual({ exitCode: 3, stdout: "typed", stderr: "err\n" });
  });

  it("passes argv after -- without a shell", async () => {
    const result = await runCmdop(["exec", "web-1", "--", "printf", "%s|", "a b", "$HOME", "-n"], env);
    expect(result).toMatchObject({ exitCode: 0, stdout: "a b|$HOME|-n|" });
  });

  it.each([
    [["exec", "web-1", "kill -TERM $$"], 143],
    [["exec", "web-1", "--timeout", "1s", "sleep 30"], 124],
    [["exec", "web-1", "--", "no-such-program"], 127],
    [["exec", "no-such-machine", "true"], 255],
  ])("%j exits with %i and says why", async (args, exitCode) => {
    const result = await runCmdop(args, env);
    expect(result.exitCode).toBe(exitCode);
    expect(result.stderr).not.toBe("");
  });

  it("takes the machine from CMDOP_MACHINE where none is named", async () => {
    const own = { ...env, CMDOP_MACHINE: "web-1" };
    expect(await runCmdop(["exec", "echo line"], own)).toMatchObject({ exitCode: 0, stdout: "line\n" });
    expect(await runCmdop(["exec", "--", "echo", "argv"], own)).toMatchObject({
      exitCode: 0,
      stdout: "argv\n",
    });
    expect(await runCmdop(["exec", "echo line"], env)).toMatchObject({ exitCode: 2 });
  });

  it.each([
    [
      "output that can't be written is an error, never a silent success",
      "'echo small' > /dev/full",
      255,
      "could not be written",
    ],
    [
      "a reader that leaves ends it as a shell would",
      "'yes' | head -1 >/dev/null; exit $PIPESTATUS",
      141,
      "",
    ],
    ["input that can't be read is an error, never an early end of file", "'cat' < /", 255, "EISDIR"],
  ])("%s", async (_title, line, exitCode, stderr) => {
    const result = await runShell(`"$NODE" "$MAIN" exec web-1 ${line}`, env);
    expect(result.exitCode).toBe(exitCode);
    expect(result.stderr).toContain(stderr);
  });

  it("lists the machines", async () => {
    const { stdout } = await runCmdop(["machines"], env);
    expect(stdout).toMatch(/^web-1 +online/m);
  });
});

describe("cmdop up", () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(path.join(os.tmpdir(), "cmdop-up-"));
  });
  afterAll(() => rm(home, { recursive: true }));

  it("brings up owner, relay and agent, writes a profile that works, and comes back with the same machine", async () => {
    const env = { CMDOP_HOME: home };
    const args = ["up", "--json", "--port", "0", "--name", "laptop"];
    const first = await CmdopProcess.start(args, env, { noTerminal: true });
    const [, passphrase = ""] = /^owner passphrase: (\S+)$/m.exec(first.process.stderr) ?? [];
    expect(first.ready).toMatchObject({
      machine: { name: "laptop" },
      relay: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    });
    const profile = path.join(home, "profile.json");
    expect(first.ready.profile).toBe(profile);
    expect((await stat(profile)).mode & 0o777).toBe(0o600);
    expect(await runCmdop(["exec", "laptop", "echo hi"], env)).toMatchObject({ exitCode: 0, stdout: "hi\n" });

    const client = await connectMcp(env);
    const { structuredContent } = await client.callTool({
      name: "terminal.execute",
      arguments: { command: "exit 3" },
    });
    expect(structuredContent).toMatchObject({ status: "done", exitCode: 3, outcome: "exited" });
    await client.close();

    expect(await first.process.stop("SIGINT")).toEqual({ exitCode: 0, signal: null });
    const second = await CmdopProcess.start(["up", "--json", "--port", "0"], env);
    expect(second.ready.machine).toEqual(first.ready.machine);
    // Another one beside it tells of this one, where it was "database is locked".
    const beside = await runCmdop(["up"], env);
    expect(beside).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("nothing was started") });
    expect(beside.stdout).toContain("mcpServers");
    expect(await runCmdop(["exec", "laptop", "echo again"], env)).toMatchObject({ stdout: "again\n" });
    // The same key on another port, so its jobs of before are still its own.
    expect((await runCmdop(["jobs", "laptop", "--all"], env)).stdout).toContain("echo hi");
    const another = ["keys", "create", "another", "--scope", "terminal", "--machine", "laptop"];
    const asOwner = { ...env, CMDOP_OWNER_PASSPHRASE: passphrase };
    expect((await runCmdop(another, asOwner)).stdout).toMatch(/^cmd_/);
    const joining = await runCmdop(["join-token", "web-2"], asOwner);
    expect(joining).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/^warning: an agent runs here/),
    });
    expect(await second.process.stop("SIGTERM")).toEqual({ exitCode: 0, signal: null });
  });

  it("keeps every secret in files that only the user can read", async () => {
    for (const file of ["owner/owner.key", "profile.json", "agent/machine.key", "agent/membership.json"]) {
      expect((await stat(path.join(home, file))).mode & 0o077, file).toBe(0);
    }
    expect(await readFile(path.join(home, "profile.json"), "utf8")).toContain("cmd_");
  });
});
