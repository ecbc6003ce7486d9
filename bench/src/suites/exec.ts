import { writeFile } from "node:fs/promises";
import path from "node:path";
import { CMDOPClient } from "@cmdop/sdk";
import { Cluster } from "../../../e2e/support/cluster.ts";
import { runCmdop } from "../../../e2e/support/cmdop-process.ts";
import { NO_SSHD, Sshd } from "../peers/sshd.ts";
import { callRate, latencies, percentile } from "../statistics.ts";
import type { BenchContext, Row, Suite } from "../suite.ts";
import { trustCost } from "./trust-cost.ts";

/** A relayed exec may take at most this share of ssh's over a ControlMaster. */
const EXEC_AIM = { atMost: 0.35 };

const IN_FLIGHT = [1, 16, 64];

/** Samples of one row. ssh starts a process a call, so it gets fewer, and so do cold starts. */
const OURS = { count: 300, warmUp: 30 };
const THEIRS = { count: 60, warmUp: 5 };
const COLD = { count: 10, warmUp: 1 };
const RATE_COUNT = { ours: 600, theirs: 200 };

/** The same calls through either door. A shell line, since ssh runs nothing else. */
interface Door {
  readonly name: string;
  readonly exec: () => Promise<unknown>;
  readonly read: () => Promise<unknown>;
}

export const exec: Suite = {
  name: "exec",
  about: "one small command or file read: warm, cold, and many at once; beside ssh over a ControlMaster",
  async run(context) {
    const file = path.join(context.directory, "small.txt");
    await writeFile(file, "x".repeat(1024));
    await using cluster = await Cluster.start();
    const machine = await cluster.addMachine("bench");
    await using relayed = await cluster.client();
    await using local = CMDOPClient.local({ home: machine.home });
    await using sshd = await Sshd.start();

    const theirs = await measureSsh(sshd, file, context);
    const rows: Row[] = [];
    for (const [name, client] of [
      ["relay", relayed],
      ["local", local],
    ] as const) {
      const door: Door = {
        name,
        exec: () => client.terminal.execute("true"),
        read: () => client.files.read(file),
      };
      rows.push(...(await measureDoor(door, theirs, context)));
    }

    const relayed50 = rows.find(({ name }) => name === "exec true, relay, p50");
    if (relayed50 !== undefined) rows.push(await trustCost(relayed50.ours, context));

    const { apiKey } = await cluster.createKey({ scopes: ["terminal"], machines: ["bench"] });
    context.progress("cold start of cmdop exec");
    const cold = await latencies(() => runCmdop(["exec", "bench", "true"], { CMDOP_API_KEY: apiKey }), COLD);
    rows.push({
      name: "cmdop exec, process, p50",
      unit: "ms",
      ours: percentile(cold, 0.5),
      theirs: theirs.cold,
    });
    return rows;
  },
};

async function measureDoor(door: Door, theirs: SshFigures, { progress }: BenchContext): Promise<Row[]> {
  const rows: Row[] = [];
  progress(`exec true, ${door.name}`);
  const execs = await latencies(door.exec, OURS);
  rows.push(
    {
      name: `exec true, ${door.name}, p50`,
      unit: "ms",
      ours: percentile(execs, 0.5),
      theirs: theirs.exec.p50,
      ...(door.name === "relay" ? { aim: EXEC_AIM } : {}),
    },
    {
      name: `exec true, ${door.name}, p99`,
      unit: "ms",
      ours: percentile(execs, 0.99),
      theirs: theirs.exec.p99,
    },
  );
  for (const inFlight of IN_FLIGHT) {
    progress(`exec true, ${door.name}, ${inFlight} in flight`);
    const ours = await callRate(door.exec, { count: RATE_COUNT.ours, inFlight });
    rows.push({
      name: `exec true, ${door.name}, ${inFlight} in flight`,
      unit: "calls/s",
      ours,
      theirs: theirs.rates.get(inFlight) ?? NO_SSHD,
    });
  }
  progress(`read 1 KiB, ${door.name}`);
  const reads = await latencies(door.read, OURS);
  rows.push(
    {
      name: `read 1 KiB, ${door.name}, p50`,
      unit: "ms",
      ours: percentile(reads, 0.5),
      theirs: theirs.read.p50,
    },
    {
      name: `read 1 KiB, ${door.name}, p99`,
      unit: "ms",
      ours: percentile(reads, 0.99),
      theirs: theirs.read.p99,
    },
  );
  return rows;
}

interface SshFigures {
  readonly exec: { readonly p50: number | string; readonly p99: number | string };
  readonly read: { readonly p50: number | string; readonly p99: number | string };
  readonly rates: ReadonlyMap<number, number>;
  readonly cold: number | string;
}

async function measureSsh(
  sshd: Sshd | undefined,
  file: string,
  { progress }: BenchContext,
): Promise<SshFigures> {
  const none = { p50: NO_SSHD, p99: NO_SSHD };
  if (sshd === undefined) return { exec: none, read: none, rates: new Map(), cold: NO_SSHD };
  progress("ssh true over a ControlMaster");
  const execs = await latencies(() => sshd.warm("true"), THEIRS);
  const rates = new Map<number, number>();
  for (const inFlight of IN_FLIGHT) {
    progress(`ssh true over a ControlMaster, ${inFlight} in flight`);
    rates.set(inFlight, await callRate(() => sshd.warm("true"), { count: RATE_COUNT.theirs, inFlight }));
  }
  progress("ssh cat over a ControlMaster");
  const reads = await latencies(() => sshd.warm(`cat '${file}'`), THEIRS);
  progress("ssh true, cold");
  const cold = await latencies(() => sshd.cold("true"), COLD);
  return {
    exec: { p50: percentile(execs, 0.5), p99: percentile(execs, 0.99) },
    read: { p50: percentile(reads, 0.5), p99: percentile(reads, 0.99) },
    rates,
    cold: percentile(cold, 0.5),
  };
}
