import { writeFile } from "node:fs/promises";
import path from "node:path";
import { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { CMDOP_MAIN, runCmdop } from "./support/cmdop-process.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";
import { waitUntil } from "./support/wait.ts";

let cluster: Cluster;
let client: CMDOPClient;
let env: Record<string, string>;

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  const { apiKey } = await cluster.createKey({ scopes: ["terminal", "machines:read"], machines: ["web-1"] });
  env = { CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(cluster.directory, "caller") };
  client = CMDOPClient.remote({ apiKey });
});

afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

const cmdop = (...args: readonly string[]) => runCmdop(args, env);

/** Starts a command and leaves it running; its job id. */
async function detached(line: string): Promise<string> {
  const { exitCode, stdout } = await cmdop("exec", "web-1", "--detach", line);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^[0-9a-f-]{36}\n$/);
  return stdout.trim();
}

/** A command that writes on both channels, then waits for a file, writes again and exits with 3. */
function waitingFor(file: string): string {
  return `echo out; echo err >&2; until test -e ${file}; do sleep 0.05; done; echo more; exit 3`;
}

/** Waits until a job has written so many bytes. */
async function written(jobId: string, bytes: number): Promise<void> {
  await waitUntil(async () => {
    const jobs = await client.terminal.jobs();
    return jobs.some((job) => job.jobId === jobId && job.outputEnd >= bytes);
  });
}

describe("the command lines", () => {
  it.each(["shell", "attach", "sessions", "jobs", "logs", "cancel"])(
    "cmdop %s --help explains itself, with an example",
    async (command) => {
      const { exitCode, stdout } = await cmdop(command, "--help");
      expect(exitCode).toBe(0);
      expect(stdout).toContain(`Usage: cmdop ${command} `);
      expect(stdout).toContain(`Examples:\n  cmdop ${command} web-1`);
    },
  );

  it("cmdop shell --help names the way to leave", async () => {
    expect((await cmdop("shell", "--help")).stdout).toMatch(/~\. +detach/);
  });

  it.each([
    ["a program without --", ["shell", "web-1", "top"]],
    ["nothing behind --", ["shell", "web-1", "--"]],
    ["no session", ["attach"]],
    ["too many words", ["logs", "web-1", "3f2a", "more"]],
    ["two machines", ["jobs", "web-1", "web-2"]],
    ["a bad offset", ["logs", "3f2a", "--after", "the beginning"]],
    ["too little of an id", ["cancel", "web-1", "3f"]],
  ])("%s exits with 2 and a hint", async (_title, args) => {
    const { exitCode, stderr } = await cmdop(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/error: .+\n.+/);
  });
});

describe("a command that was left running", () => {
  it("promise 4: goes on, can be listed, read, followed to its end and its exit code", async () => {
    const file = path.join(cluster.directory, "go-on");
    const id = await detached(waitingFor(file));
    await written(id, 8);
    expect(await cmdop("logs", "web-1", id.slice(0, 8))).toEqual({
      exitCode: 0,
      stdout: "out\n",
      stderr: "err\n",
    });
    expect((await cmdop("jobs", "web-1")).stdout).toMatch(
      new RegExp(`^${id.slice(0, 8)} +exec .+ running +8 +echo out`, "m"),
    );
    const following = cmdop("logs", "web-1", id, "--follow");
    await writeFile(file, "");
    expect(await following).toEqual({ exitCode: 3, stdout: "out\nmore\n", stderr: "err\n" });
    expect((await cmdop("jobs", "web-1")).stdout).not.toContain(id.slice(0, 8));
    const [line = ""] = (await cmdop("jobs", "web-1", "--all", "--json")).stdout.split("\n");
    expect(JSON.parse(line)).toMatchObject({
      jobId: id,
      outputEnd: 13,
      outcome: { outcome: "exited", exitCode: 3 },
    });
  });

  describe("is read in part", () => {
    let id: string;
    beforeAll(async () => {
      id = await detached("echo 123; sleep 0.2; echo 456 >&2; sleep 0.2; echo 789");
      await written(id, 12);
    });

    it.each([
      [["--stdout"], "123\n789\n", ""],
      [["--stderr"], "", "456\n"],
      [["--after", "4"], "789\n", "456\n"],
      [["--after", "12"], "", ""],
    ])("with %j", async (options, stdout, stderr) => {
      expect(await cmdop("logs", "web-1", id, ...options)).toEqual({ exitCode: 0, stdout, stderr });
    });
  });

  it("is ended by cancel, which says how it ended", async () => {
    const id = await detached("sleep 64.2");
    const canceled = await cmdop("cancel", "web-1", id.slice(0, 8));
    expect(canceled).toEqual({ exitCode: 0, stdout: `${id} was canceled\n`, stderr: "" });
    expect((await cmdop("logs", "web-1", id, "--follow")).exitCode).toBe(130);
  });

  it("that can't be started is told at once", async () => {
    const result = await cmdop("exec", "web-1", "--detach", "--", "no-such-program");
    expect(result).toMatchObject({ exitCode: 127, stdout: "" });
    expect(result.stderr).toContain("failed to start");
  });

  it("is taken from CMDOP_MACHINE's machine where none is named", async () => {
    const own = { ...env, CMDOP_MACHINE: "web-1" };
    const { stdout } = await runCmdop(["exec", "--detach", "echo here"], own);
    await written(stdout.trim(), 5);
    expect(await runCmdop(["logs", stdout.trim()], own)).toMatchObject({ stdout: "here\n" });
    expect(await runCmdop(["jobs", "--all"], own)).toMatchObject({
      stdout: expect.stringContaining(stdout.slice(0, 8)),
    });
  });
});

it("what a machine says is one line that steers nothing, in a table and as JSON", async () => {
  const misleading = "true # \u009b2J\u202egnp.\u2066 \u{e0041}\n\rID";
  await client.terminal.execute(misleading);
  for (const form of [[], ["--json"]]) {
    const { stdout } = await cmdop("jobs", "web-1", "--all", ...form);
    const [line = "", ...others] = stdout.split("\n").filter((text) => text.includes("gnp."));
    expect(others).toEqual([]);
    expect(line).toMatch(/^[^\p{Cc}\p{Cf}]*$/u);
    if (form.length > 0) expect(JSON.parse(line)).toMatchObject({ command: misleading.replace("\n\r", " ") });
  }
});

describe("a lost link", () => {
  it("promise 3: exec says so once, and that it is back, and the output is whole", async () => {
    await using proxy = await startTcpProxy(cluster.relayAddress);
    const file = path.join(cluster.directory, "after-the-cut");
    const through = { ...env, CMDOP_RELAY: proxy.address };
    // In a terminal of its own, whose screen shows both streams in their order.
    await using near = await client.terminal.create({
      shell: [process.execPath, CMDOP_MAIN, "exec", "web-1", waitingFor(file)],
      env: through,
    });
    await near.waitFor("err\n");
    proxy.cutAfterBytes = 0;
    proxy.cut();
    await near.waitFor("cmdop: the link is lost, reconnecting\n");
    await writeFile(file, "");
    proxy.cutAfterBytes = undefined;
    expect(await near.wait()).toMatchObject({ exitCode: 3 });
    const lines = (await near.getHistory()).trimEnd().split("\n");
    expect(lines.toSorted()).toEqual(
      ["out", "err", "cmdop: the link is lost, reconnecting", "cmdop: the link is back", "more"].toSorted(),
    );
  });

  it("promise 1: where the outcome is unknown, exec says so and how to look again", async () => {
    const [machine] = cluster.machines;
    if (machine === undefined) throw new TypeError("no machine");
    const running = cmdop("exec", "web-1", "echo begun; sleep 65.3");
    await waitUntil(async () =>
      (await client.terminal.jobs({ running: true })).some((job) => job.outputEnd > 0),
    );
    await machine.process.stop("SIGKILL");
    await cluster.restartAgent(machine);
    const { exitCode, stdout, stderr } = await running;
    expect({ exitCode, stdout }).toEqual({ exitCode: 255, stdout: "begun\n" });
    expect(stderr).toMatch(
      /unknown outcome: .+\ncmdop: .+ to look again: cmdop logs --follow web-1 [0-9a-f-]{36}\n/,
    );
  });
});
