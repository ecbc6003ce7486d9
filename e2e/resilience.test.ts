import { readdir } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CMDOPClient } from "@cmdop/sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";
import { isAlive, waitUntil } from "./support/wait.ts";

/** DESIGN: both ends of a link notice a dead peer within this time. */
const DEAD_PEER_NOTICED_WITHIN_MS = 30_000;

let cluster: Cluster;
let machine: ClusterMachine;
let apiKey: string;
let client: CMDOPClient;

beforeEach(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  ({ apiKey } = await cluster.createKey({
    scopes: ["terminal", "files:read", "files:write", "machines:read"],
    machines: ["web-1"],
  }));
  client = CMDOPClient.remote({ apiKey });
});
afterEach(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

const isOnline = async (): Promise<boolean> => (await client.machines.list())[0]?.online ?? false;

describe("when a part goes away", () => {
  it("a killed relay: calls fail as RelayUnreachable, and the agent is back after the relay's return", async () => {
    await client.terminal.execute("true");
    await cluster.relay.stop("SIGKILL");
    // What is sent before the connection's end is noticed may have arrived for all that anybody knows.
    await expect(client.machines.list()).rejects.toMatchObject({ code: "RelayUnreachable" });
    await expect(client.terminal.execute("true")).rejects.toMatchObject({ code: "RelayUnreachable" });
    await cluster.restartRelay();
    await waitUntil(() => isOnline().catch(() => false));
    expect(await client.terminal.execute("echo back")).toMatchObject({ stdout: "back\n" });
  });

  it("a command that runs while the relay is killed and returns gives its whole output and its true outcome", async () => {
    const command = "for i in $(seq 1 40); do echo line $i; sleep 0.1; done; exit 9";
    const running = client.terminal.execute(command);
    const lines: string[] = [];
    await waitUntil(async () => (await isOnline()) && lines.push("x") > 3);
    await cluster.relay.stop("SIGKILL");
    await cluster.restartRelay();
    const result = await running;
    expect(result).toMatchObject({ outcome: "exited", exitCode: 9, truncated: false });
    expect(result.stdout).toBe(Array.from({ length: 40 }, (_, index) => `line ${index + 1}\n`).join(""));
  });

  it("a killed agent: calls fail as MachineOffline, and a running command's outcome is unknown, never 0", async () => {
    const running = client.terminal.execute("sleep 60.9", { reconnectWindowMs: 1_000 });
    await waitUntil(async () => (await client.terminal.execute("pgrep -fx 'sleep 60.9'")).exitCode === 0);
    await machine.process.stop("SIGKILL");
    await waitUntil(async () => !(await isOnline()));
    await expect(client.terminal.execute("true")).rejects.toMatchObject({ code: "MachineOffline" });
    expect(await running).toMatchObject({ outcome: "unknown", exitCode: null });
    await cluster.restartAgent(machine);
    await client.terminal.execute("pkill -fx 'sleep 60.9'");
  });

  it("a stopped agent is known to be gone", { timeout: DEAD_PEER_NOTICED_WITHIN_MS * 2 }, async () => {
    machine.process.signal("SIGSTOP");
    await waitUntil(async () => !(await isOnline()), DEAD_PEER_NOTICED_WITHIN_MS);
    machine.process.signal("SIGCONT");
    await waitUntil(isOnline);
    expect(await client.terminal.execute("echo back")).toMatchObject({ stdout: "back\n" });
  });

  it("a cut line between SDK and relay loses nothing of a command's output", async () => {
    await using proxy = await startTcpProxy(cluster.relayAddress);
    await using through = CMDOPClient.remote({ apiKey, relay: proxy.address });
    const received: Buffer[] = [];
    let cuts = 0;
    for await (const event of through.terminal.stream(
      "for i in $(seq 1 50); do echo $i; sleep 0.02; done; exit 2",
    )) {
      if (event.type === "stdout") received.push(Buffer.from(event.data));
      if (event.type === "stdout" && received.length % 5 === 0 && cuts < 5) {
        cuts += 1;
        proxy.cut();
      }
      if (event.type === "ended") expect(event).toMatchObject({ outcome: "exited", exitCode: 2 });
    }
    expect(cuts).toBeGreaterThan(0);
    expect(Buffer.concat(received).toString()).toBe(
      Array.from({ length: 50 }, (_, index) => `${index + 1}\n`).join(""),
    );
  });

  it("promise 3: standard input survives cut lines too: nothing lost, nothing twice", async () => {
    await using proxy = await startTcpProxy(cluster.relayAddress);
    await using through = CMDOPClient.remote({ apiKey, relay: proxy.address });
    const lines = Array.from({ length: 300 }, (_, index) => `${index + 1}\n`);
    const source = async function* () {
      for (const [index, line] of lines.entries()) {
        if (index % 60 === 30) proxy.cut();
        yield line;
        await sleep(5);
      }
    };
    expect(await through.terminal.execute("cat", { stdin: source() })).toMatchObject({
      exitCode: 0,
      stdout: lines.join(""),
    });
  });

  it("a cancel that finds the line down is repeated until the machine hears it", async () => {
    const stop = new AbortController();
    const running = client.terminal.execute("exec sleep 60.8", { signal: stop.signal });
    await waitUntil(async () => (await client.terminal.execute("pgrep -fx 'sleep 60.8'")).exitCode === 0);
    await cluster.relay.stop("SIGKILL");
    stop.abort();
    await sleep(3_000);
    await cluster.restartRelay();
    expect(await running).toMatchObject({ outcome: "canceled", exitCode: null });
  });

  it("defect D: an upload that is cut in the middle commits nothing and leaves nothing", async () => {
    const target = path.join(cluster.directory, "cut", "target");
    await client.files.write(target, "old content", { parents: true });
    await using proxy = await startTcpProxy(cluster.relayAddress);
    proxy.cutAfterBytes = 3_000_000;
    await using through = CMDOPClient.remote({ apiKey, relay: proxy.address });
    await expect(through.files.write(target, Buffer.alloc(20_000_000, "new"))).rejects.toMatchObject({
      code: "LinkLost",
    });
    expect(await client.files.readText(target)).toBe("old content");
    await waitUntil(async () => (await readdir(path.dirname(target))).length === 1);
  });

  it("defect A: uploads and downloads at once, with full windows, all finish", {
    timeout: 120_000,
  }, async () => {
    const directory = path.join(cluster.directory, "both-ways");
    const content = Buffer.alloc(60_000_000, "0123456789");
    await client.files.write(path.join(directory, "source"), content, { parents: true });
    const down = async () =>
      expect((await client.files.read(path.join(directory, "source"))).length).toBe(content.length);
    const up = async (name: string) =>
      expect((await client.files.write(path.join(directory, name), content)).size).toBe(content.length);
    await Promise.all([up("a"), down(), up("b"), down()]);
  });
});

describe("SIGTERM", () => {
  it("promise 3: what a job says at its agent's end still reaches its caller, whole", async () => {
    const lastWords = "trap 'head -c 3000000 /dev/zero; exit 7' TERM; echo ready; sleep 61.2 & wait";
    const running = client.terminal.stream(lastWords);
    let bytes = 0;
    let stopped: Promise<unknown> | undefined;
    let end: unknown;
    for await (const event of running) {
      if (event.type === "stdout") {
        bytes += event.data.length;
        stopped ??= machine.process.stop("SIGTERM");
      } else end = event;
    }
    await stopped;
    expect({ bytes, end }).toMatchObject({ bytes: 3_000_006, end: { type: "ended", outcome: "canceled" } });
  });

  it("ends relay and agent cleanly, exit 0, and no child is left", async () => {
    const running = client.terminal.stream("sleep 61.3 & echo $!; wait");
    let child = 0;
    for await (const event of running) {
      if (event.type !== "stdout") continue;
      child = Number(Buffer.from(event.data).toString());
      break;
    }
    expect(isAlive(child)).toBe(true);
    expect(await machine.process.stop("SIGTERM")).toEqual({ exitCode: 0, signal: null });
    expect(await cluster.relay.stop("SIGTERM")).toEqual({ exitCode: 0, signal: null });
    await waitUntil(() => !isAlive(child));
  });
});
