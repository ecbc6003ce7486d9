import { spawn } from "node:child_process";
import { once } from "node:events";
import { truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { text } from "node:stream/consumers";
import { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "../support/cluster.ts";
import { CMDOP_MAIN, cmdopEnvironment, runCmdop } from "../support/cmdop-process.ts";
import { waitUntil } from "../support/wait.ts";

let cluster: Cluster;
let laptop: ClusterMachine;
let env: Record<string, string>;
let client: CMDOPClient;

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  laptop = await cluster.addMachine("laptop");
  const scopes = ["terminal", "files:read", "files:write", "machines:read"];
  const { apiKey } = await cluster.createKey({ scopes, machines: ["*"] });
  env = { CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(cluster.directory, "caller") };
  client = CMDOPClient.remote({ apiKey, machine: "web-1" });
});
afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

describe("'my agent went away in mid-command, and execute said that the command was running'", () => {
  it("a command on a machine that is offline is unreachable; SDK, exec and jobs say since when and that it may still run", async () => {
    const { terminal } = client.machine("laptop");
    const exec = spawn(process.execPath, [CMDOP_MAIN, "exec", "laptop", "echo begun; sleep 73.1"], {
      env: cmdopEnvironment(env),
      stdio: ["ignore", "pipe", "pipe"],
    });
    await once(exec.stdout, "data");
    const told: string[] = [];
    // The command itself ends the agent, so that it surely has begun by then.
    const answered = terminal.execute(`echo begun; sleep 0.5; kill -9 ${laptop.process.pid}; sleep 73.2`, {
      waitMs: 6_000,
      onLink: (state, loss) => told.push(`${state} ${loss?.reconnectWindowMs}`),
      onOffline: ({ code }) => told.push(code),
    });
    let said = "";
    for await (const data of exec.stderr) {
      said += data;
      if (said.includes("went offline at")) break;
    }
    const handle = await answered;
    expect(handle).toMatchObject({
      status: "unreachable",
      stdout: "begun\n",
      loss: { code: "MachineOffline", reconnectWindowMs: 15 * 60_000 },
    });
    expect(JSON.parse(JSON.stringify(handle))).toMatchObject({ status: "unreachable", after: 6 });
    expect(told).toEqual([`lost ${15 * 60_000}`, "MachineOffline"]);
    expect(said).toMatch(
      /^cmdop: laptop went offline at .*; the command may still run there; waiting for it until /m,
    );
    const jobs = await runCmdop(["jobs", "laptop"], env);
    expect(jobs.stderr).toContain("What ran there may still run.");

    await cluster.restartAgent(laptop);
    if (handle.status === "done") throw new TypeError("it has ended");
    expect(await handle.result()).toMatchObject({ outcome: "unknown", stdout: "begun\n" });
    await waitUntil(() => exec.exitCode !== null);
  });
});

describe("'JSON.stringify of an event throws: Do not know how to serialize a BigInt'", () => {
  it("events, jobs, chunks, histories and results survive JSON, with offsets as numbers", async () => {
    const events: unknown[] = [];
    for await (const event of client.terminal.stream("printf one; printf two >&2")) events.push({ ...event });
    const parsed: unknown[] = JSON.parse(JSON.stringify(events));
    expect(parsed[0]).toMatchObject({ type: "started", outputEnd: expect.any(Number) });
    const data = { type: "Buffer", data: [...Buffer.from("one")] };
    expect(parsed).toContainEqual({ type: "stdout", offset: expect.any(Number), data });

    const result = await client.terminal.execute("echo done");
    const handle = await client.terminal.execute("echo so far; sleep 0.2", { waitMs: 1 });
    const session = await client.terminal.create({ shell: ["/bin/echo", "shown"] });
    const chunks: unknown[] = [];
    for await (const chunk of session.attach({ after: 0n })) chunks.push(chunk);
    const all = { result, handle, chunks, jobs: await client.terminal.jobs(), end: await session.wait() };
    expect(JSON.parse(JSON.stringify(all))).toMatchObject({
      result: { exitCode: 0, stdout: "done\n" },
      chunks: [{ offset: 0, data: { type: "Buffer" } }],
      jobs: expect.arrayContaining([expect.objectContaining({ outputStart: 0, outputEnd: 5 })]),
    });
    // What was written down once is good for coming back.
    expect(await client.terminal.resume(result.jobId, { after: JSON.parse("3") })).toMatchObject({
      stdout: "e\n",
    });
  });
});

describe("'getHistory of 100,000 lines gives some thousands, without a word'", () => {
  it("says that the beginning is gone, in its first line and as truncated; who asks for the last lines has them all", async () => {
    const session = await client.terminal.create({ shell: ["/bin/sh", "-c", "seq 1 30000; read -r _"] });
    await session.waitFor("30000\n");
    const { text: kept, truncated } = await session.history();
    expect(truncated).toBe(true);
    expect(await session.getHistory()).toBe(
      `[earlier lines are gone: the machine keeps only the last ones]\n${kept}`,
    );
    expect(await session.history({ maxLines: 3 })).toMatchObject({ truncated: false });
    await session.close();

    const short = await client.terminal.create({ shell: ["/bin/sh", "-c", "echo all; read -r _"] });
    await short.waitFor("all\n");
    expect(await short.getHistory()).toBe("all");
    await short.close();
  });
});

describe("'a fleet of fresh programs with a key of one machine: some of them fail with LimitExceeded'", () => {
  it("64 clients at once that name no machine all get their answer", async () => {
    const { apiKey } = await cluster.createKey({ scopes: ["terminal"], machines: ["web-1"] });
    const clients = Array.from({ length: 64 }, () => CMDOPClient.remote({ apiKey }));
    const results = await Promise.all(clients.map((each) => each.terminal.execute("true")));
    expect(results.map(({ exitCode }) => exitCode)).toEqual(clients.map(() => 0));
    for (const each of clients) await each.close();
  });
});

describe("'my script does not end, although its work is done'", () => {
  it.each([
    ["an attach that was left unfinished", "await client.terminal.attach(session).next();"],
    ["a large stream that was read to its middle", "await client.files.readStream(file).next();"],
    ["keys that were typed a moment ago", 'await client.terminal.sendInput(session, "x");'],
  ])("%s does not keep it", async (_what, work) => {
    const file = path.join(cluster.directory, "large");
    await writeFile(file, "");
    await truncate(file, 256 * 1024 * 1024);
    await using session = await client.terminal.create({ shell: ["/bin/sh", "-c", "echo here; cat"] });
    const program = `
      import { CMDOPClient } from "@cmdop/sdk";
      const client = CMDOPClient.remote({ machine: "web-1" });
      const session = ${JSON.stringify(session.sessionId)}, file = ${JSON.stringify(file)};
      ${work}
      process.stdout.write("worked\\n");
      setTimeout(() => process.stdout.write("kept\\n"), 4_000).unref();
    `;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      cwd: path.join(import.meta.dirname, ".."),
      env: cmdopEnvironment(env),
      stdio: ["ignore", "pipe", "inherit"],
    });
    const limit = setTimeout(() => child.kill("SIGKILL"), 20_000);
    const [stdout, [exitCode]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    clearTimeout(limit);
    expect({ stdout, exitCode }).toEqual({ stdout: "worked\n", exitCode: 0 });
  });
});
