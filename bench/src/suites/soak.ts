import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "../../../e2e/support/cluster.ts";
import { cmdopEnvironment } from "../../../e2e/support/cmdop-process.ts";
import { connectMcp, serverPid } from "../../../e2e/support/mcp-client.ts";
import { startTcpProxy, type TcpProxy } from "../../../e2e/support/tcp-proxy.ts";
import { type Sample, slope } from "../soak/slope.ts";
import { MEASURES, type Measure, read, type WatchedProcess, withProbe } from "../soak/watched-process.ts";
import type { BenchContext, Row, Suite } from "../suite.ts";

/** Between two looks at all processes, in milliseconds. */
const LOOK_MS = 5_000;

/** Between two cuts of all connections on one side of the relay, in milliseconds. */
const CUT_MS = 3_000;

/** Calls of the SDK's program at once. */
const AT_ONCE = 4;

/** Between two calls of the MCP client, in milliseconds. */
const MCP_PAUSE_MS = 100;

/** Ended jobs are forgotten within the first half of a soak, as they are within a day of real use: the shortest time that a policy may name. */
const POLICY = { jobs: { outputKeptMs: 20_000, outcomeKeptMs: 600_000 } };

const MCP_CALLS = [
  { name: "terminal_execute", arguments: { command: "echo there; seq 200" } },
  { name: "files_list", arguments: { path: "/" } },
  { name: "files_read", arguments: { path: "/etc/passwd" } },
  { name: "machines_list", arguments: {} },
] as const;

const UNITS: Readonly<Record<Measure, "MiB" | "">> = {
  rss: "MiB",
  "heap after gc": "MiB",
  external: "MiB",
  descriptors: "",
  disk: "MiB",
};

export const soak: Suite = {
  name: "soak",
  about:
    "mixed work with cuts for a long time (--minutes, 20 by default): what each process needs at the end, and gains a minute in the second half",
  onlyWhenNamed: true,
  async run(context) {
    const probes = path.join(context.directory, "probes");
    await mkdir(probes);
    return withProbe(probes, () => soakFor(context, probes));
  },
};

async function soakFor({ directory, minutes, progress }: BenchContext, probes: string): Promise<Row[]> {
  await using cluster = await Cluster.start();
  await using towardsAgent = await startTcpProxy(cluster.relayAddress);
  await using towardsSdk = await startTcpProxy(cluster.relayAddress);
  const machine = await cluster.addMachine("soak", { relay: towardsAgent.address });
  await writeFile(path.join(machine.home, "agent", "policy.json"), JSON.stringify(POLICY));
  const { apiKey } = await cluster.createKey({
    scopes: ["terminal", "files:read", "files:write", "machines:read"],
    machines: ["soak"],
  });
  const program = startProgram(apiKey, towardsSdk.address, path.join(directory, "files"));
  const mcpHome = path.join(cluster.directory, "ai");
  const mcp = await connectMcp({ CMDOP_API_KEY: apiKey, CMDOP_HOME: mcpHome });
  const watched: readonly WatchedProcess[] = [
    { name: "relay", pid: () => cluster.relay.pid, directory: cluster.relayHome },
    { name: "agent", pid: () => machine.process.pid, directory: machine.home },
    { name: "SDK", pid: () => program.child.pid ?? -1 },
    { name: "MCP server", pid: () => serverPid(mcp) },
  ];

  const leaving = new AbortController();
  const { signal } = leaving;
  const cuts = cutBy([towardsAgent, towardsSdk], signal);
  const calls = callBy((call) => mcp.callTool(call), signal);
  const series = new Map(watched.map(({ name }) => [name, new Map<Measure, Sample[]>()]));
  const beganAtMs = performance.now();
  const untilMs = minutes * 60_000;
  for (let saidMin = 0; performance.now() - beganAtMs < untilMs; ) {
    await sleep(LOOK_MS);
    for (const one of watched) {
      const reading = await read(one, probes);
      const atMin = (performance.now() - beganAtMs) / 60_000;
      const ofProcess = series.get(one.name);
      for (const measure of MEASURES) {
        const value = reading[measure];
        if (value === undefined) continue;
        const samples = ofProcess?.get(measure) ?? [];
        samples.push({ atMin, value });
        ofProcess?.set(measure, samples);
      }
    }
    const minute = Math.floor((performance.now() - beganAtMs) / 60_000);
    if (minute > saidMin) progress(`minute ${minute} of ${minutes}`);
    saidMin = minute;
  }
  leaving.abort();
  progress(`${await cuts} cuts, ${await calls} calls of the MCP client, and ${await program.finish()}`);
  await mcp.close();
  return [...series].flatMap(([name, ofProcess]) =>
    [...ofProcess].flatMap(([measure, samples]) => rowsOf(name, measure, samples, minutes)),
  );
}

/** At the end, and a minute in the second half: the first fills caches, pools and the retention of jobs. */
function rowsOf(name: string, measure: Measure, samples: readonly Sample[], minutes: number): Row[] {
  const unit = UNITS[measure];
  const second = samples.filter(({ atMin }) => atMin >= minutes / 2);
  return [
    { name: `${name}, ${measure}, at the end`, unit, ours: samples.at(-1)?.value ?? 0, theirs: null },
    {
      name: `${name}, ${measure}, gained a minute`,
      unit: `${unit}/min`,
      ours: slope(second),
      theirs: null,
    },
  ];
}

/** Cuts all connections of one side and of the other in turn; resolves with how often when the signal aborts. */
async function cutBy(proxies: readonly TcpProxy[], signal: AbortSignal): Promise<number> {
  let cuts = 0;
  for (; !signal.aborted; cuts += 1) {
    await sleep(CUT_MS);
    proxies[cuts % proxies.length]?.cut();
  }
  return cuts;
}

async function callBy(
  call: (made: { name: string; arguments: Record<string, unknown> }) => Promise<unknown>,
  signal: AbortSignal,
): Promise<number> {
  let calls = 0;
  for (; !signal.aborted; calls += 1) {
    const next = MCP_CALLS[calls % MCP_CALLS.length];
    if (next !== undefined) await call(next);
    await sleep(MCP_PAUSE_MS);
  }
  return calls;
}

/** The program that uses the SDK; `finish` ends it, and resolves with what it did. */
function startProgram(apiKey: string, relay: string, files: string) {
  const main = path.join(import.meta.dirname, "../soak/mixed-work.ts");
  const child: ChildProcess = spawn(process.execPath, [main, files, String(AT_ONCE)], {
    env: cmdopEnvironment({ CMDOP_API_KEY: apiKey, CMDOP_RELAY: relay }),
    stdio: ["pipe", "pipe", "inherit"],
  });
  let told = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  const ended = once(child, "close");
  return {
    child,
    finish: async (): Promise<string> => {
      child.stdin?.end();
      await ended;
      return told.trim();
    },
  };
}
