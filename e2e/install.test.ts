import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { CMDOP_MAIN, CmdopProcess, runCmdop } from "./support/cmdop-process.ts";

let directory: string;
let env: Record<string, string>;
let unitFile: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-install-"));
  const config = path.join(directory, "config");
  env = { CMDOP_HOME: path.join(directory, "home"), XDG_CONFIG_HOME: config, HOME: directory };
  unitFile = path.join(config, "systemd", "user", "cmdop-agent.service");
});
afterEach(() => rm(directory, { recursive: true }));

describe("cmdop agent install", () => {
  it("--dry-run prints the unit and changes nothing", async () => {
    const { exitCode, stdout } = await runCmdop(["agent", "install", "--user", "--dry-run"], env);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`ExecStart="${process.execPath}" "${CMDOP_MAIN}" "agent"`);
    expect(stdout).toContain(`Environment="CMDOP_HOME=${env.CMDOP_HOME}"`);
    await expect(stat(unitFile)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("joins first, so that the token is used up and in no file of systemd's; what the unit starts is then online", async () => {
    await using cluster = await Cluster.start();
    const target = `${cluster.relayId}@${cluster.relayAddress}`;
    const made = await runCmdop(["join-token", "web-1", "--relay", target], cluster.operatorEnv);
    const install = ["agent", "install", "--user", "--no-start", "--join", "-"];
    const installed = await runCmdop(install, env, made.stdout);
    expect(installed).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(`wrote ${unitFile}`) });
    const unit = await readFile(unitFile, "utf8");
    expect(unit).not.toContain(made.stdout.trim().slice(0, 20));

    // What systemd would do.
    const [, ...words] = /^ExecStart="(.*)"$/m.exec(unit) ?? [];
    const [, , ...args] = words[0]?.split('" "') ?? [];
    const agent = await CmdopProcess.start([...args, "--json"], { CMDOP_HOME: env.CMDOP_HOME ?? "" });
    expect(agent.ready).toMatchObject({ machine: { name: "web-1" } });
    await agent.process.stop();

    const again = await runCmdop(["agent", "install", "--user", "--no-start"], env);
    expect(again.exitCode).toBe(0);
    const gone = await runCmdop(["agent", "uninstall", "--user", "--no-stop"], env);
    expect(gone.exitCode).toBe(0);
    await stat(path.join(directory, "home", "agent", "machine.key"));
    expect((await runCmdop(["agent", "uninstall", "--user", "--no-stop"], env)).stderr).toContain(
      "Nothing is installed",
    );
    await runCmdop(["agent", "install", "--user", "--no-start"], env);
    await runCmdop(["agent", "uninstall", "--user", "--no-stop", "--purge"], env);
    await expect(stat(path.join(directory, "home", "agent"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("writes nothing where the machine has not joined and there is no token", async () => {
    const { exitCode, stderr } = await runCmdop(["agent", "install", "--user", "--no-start"], env);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("cmdop join-token");
    await expect(stat(unitFile)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("cmdop relay install", () => {
  it("puts its options into the unit, files by their whole paths, and refuses those that would be lost", async () => {
    const owner = "A".repeat(43);
    const words = ["--owner", owner, "--port", "443", "--public-address", "relay.example:443"];
    const install = ["relay", "install", "--user", "--dry-run", ...words, "--archives", "dist"];
    const { stdout } = await runCmdop(install, env);
    expect(stdout).toContain(
      `"relay" "--owner" "${owner}" "--host" "0.0.0.0" "--port" "443" "--public-address" "relay.example:443" "--archives" "${path.resolve("dist")}"`,
    );
    const lost = await runCmdop(["relay", "--port", "443", "install", "--user", "--dry-run"], env);
    expect(lost).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("--port stands before install"),
    });
    const nobody = await runCmdop(["relay", "install", "--user", "--dry-run"], env);
    expect(nobody).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("--owner PUB") });
  });
});

describe("promise 6: a join token", () => {
  const TOKEN = `eyJ${"a".repeat(20)}.${"b".repeat(20)}.${"c".repeat(20)}`;

  it.each([["agent"], ["agent install --user --no-start"]])(
    "is not taken from the command line of %s, nor repeated",
    async (command) => {
      const { exitCode, stdout, stderr } = await runCmdop([...command.split(" "), "--join", TOKEN], env);
      expect(exitCode).toBe(2);
      expect(stderr).toContain("--join -");
      expect(stdout + stderr).not.toContain("bbbb");
    },
  );

  it("is not read from a file that others can read", async () => {
    const file = path.join(directory, "token");
    await writeFile(file, TOKEN, { mode: 0o644 });
    const { exitCode, stderr } = await runCmdop(["agent", "--join", file], env);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("Others than its owner may use");
  });
});
