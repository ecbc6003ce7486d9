import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CMDOPClient, collectYoungBuffers } from "@cmdop/sdk";
import { Cluster } from "../../../e2e/support/cluster.ts";
import { NO_SSHD, Sshd } from "../peers/sshd.ts";
import { latencies, percentile } from "../statistics.ts";
import type { BenchContext, Row, Suite } from "../suite.ts";

const MB = 1_000_000;

/** Of the large file; less for a quick look. */
const FILE_MB = Number(process.env.CMDOP_BENCH_MB ?? 512);

/** Small files of one tree. */
const SMALL_FILES = Number(process.env.CMDOP_BENCH_FILES ?? 10_000);

/** Of the file while memory is looked at. */
const MEMORY_MB = Number(process.env.CMDOP_BENCH_MEMORY_MB ?? 5_000);

/** A second of each makes the first not count. */
const ROUNDS = 3;

/** Aims, in one run. */
const DIRECT_AIM = { atLeast: 1.0 } as const;
const JUMP_AIM = { atLeast: 2.0 } as const;
const UNDER_BULK_AIM = { atMost: 3 } as const;

/** What each process may need above idle, and how long it has to come to rest before. */
const MEMORY_BOUND_MIB = 150;
const MEMORY_AIM = { atMost: 1 } as const;
const SETTLE_MS = 2_000;

const SMALL_CALLS = { count: 200, warmUp: 20 };

export const bulk: Suite = {
  name: "bulk",
  about: `${FILE_MB} MB and ${SMALL_FILES} small files, both ways; beside ssh cat, scp and sftp`,
  async run(context) {
    const file = path.join(context.directory, "large");
    await writeFile(file, "");
    await truncate(file, FILE_MB * MB);
    // As `cmdop cp` does, and any program that is there to move content should.
    collectYoungBuffers();
    await using cluster = await Cluster.start();
    const machine = await cluster.addMachine("bench");
    await using relayed = await cluster.client();
    await using local = CMDOPClient.local({ home: machine.home });
    const processes = { agent: machine.process.pid, relay: cluster.relay.pid, caller: process.pid };
    // First: what a process has ever needed it rarely gives back, and would hide what this needs.
    const memoryRows = await memory(relayed, file, processes, context);
    await using sshd = await Sshd.start();
    const ssh = await sshFigures(sshd, file, context);
    const rows: Row[] = [];
    for (const [door, client] of [
      ["relay", relayed],
      ["local", local],
    ] as const) {
      context.progress(`large file, ${door}`);
      const down = await rate(() => read(client, file));
      const up = await rate(() => client.files.upload(file, path.join(context.directory, "up")));
      const back = await rate(() => client.files.download(file, path.join(context.directory, "down")));
      const aim = door === "relay" ? { aim: DIRECT_AIM } : {};
      const mbPerS = "MB/s" as const;
      rows.push(
        { name: `readStream, ${door}, / ssh cat`, unit: mbPerS, ours: down, theirs: ssh.down, ...aim },
        { name: `download, verified, ${door}, / sftp get`, unit: mbPerS, ours: back, theirs: ssh.sftp },
        { name: `upload, verified, ${door}, / ssh cat >`, unit: mbPerS, ours: up, theirs: ssh.up, ...aim },
        { name: `upload, verified, ${door}, / scp`, unit: mbPerS, ours: up, theirs: ssh.scp },
      );
      if (door === "relay") {
        const name = "readStream, relay, / ssh cat by ProxyJump";
        rows.push({ name, unit: mbPerS, ours: down, theirs: ssh.jumped, aim: JUMP_AIM });
      }
    }
    rows.push(
      ...memoryRows,
      await underBulk(relayed, file, context),
      await smallFiles(relayed, sshd, context),
    );
    return rows;
  },
};

interface SshFigures {
  readonly down: number | string;
  readonly jumped: number | string;
  readonly up: number | string;
  readonly scp: number | string;
  readonly sftp: number | string;
}

async function sshFigures(
  sshd: Sshd | undefined,
  file: string,
  { directory, progress }: BenchContext,
): Promise<SshFigures> {
  if (sshd === undefined) {
    return { down: NO_SSHD, jumped: NO_SSHD, up: NO_SSHD, scp: NO_SSHD, sftp: NO_SSHD };
  }
  progress("large file, ssh, scp, sftp");
  const to = path.join(directory, "ssh");
  return {
    down: await rate(() => sshd.warm(`cat '${file}'`)),
    jumped: await rate(() => sshd.jumped(`cat '${file}'`)),
    up: await rate(() => sshd.warmFrom(file, `cat > ${to}`)),
    scp: await rate(() => sshd.copy(file, to)),
    sftp: await rate(() => sshd.fetch(file, to)),
  };
}

/** What each process has at most, above what it had before, while a large file goes up and comes down. */
async function memory(
  client: CMDOPClient,
  file: string,
  processes: Readonly<Record<string, number>>,
  { directory, progress }: BenchContext,
): Promise<Row[]> {
  if (!existsSync("/proc/self/clear_refs")) return [];
  progress(`memory while ${MEMORY_MB} MB go up and come down`);
  const large = path.join(directory, "larger");
  await writeFile(large, "");
  await truncate(large, MEMORY_MB * MB);
  // Connected.
  await client.files.info(file);
  await sleep(SETTLE_MS);
  const idle = Object.values(processes).map((pid) => memoryOf(pid, "VmRSS"));
  // Writing 5 there makes the present use the peak.
  for (const pid of Object.values(processes)) writeFileSync(`/proc/${pid}/clear_refs`, "5");
  await client.files.upload(large, path.join(directory, "larger-up"));
  await client.files.download(path.join(directory, "larger-up"), path.join(directory, "larger-down"));
  const rows = Object.entries(processes).map(([name, pid], index) => ({
    name: `memory above idle, ${MEMORY_MB} MB up and down, ${name} / bound`,
    unit: "MiB" as const,
    ours: memoryOf(pid, "VmHWM") - (idle[index] ?? 0),
    theirs: MEMORY_BOUND_MIB,
    aim: MEMORY_AIM,
  }));
  for (const name of ["larger", "larger-up", "larger-down"]) await rm(path.join(directory, name));
  return rows;
}

/** A line of what Linux says of a process's memory, in MiB. */
function memoryOf(pid: number, line: "VmRSS" | "VmHWM"): number {
  const kib = new RegExp(`^${line}:\\s+(\\d+) kB$`, "m").exec(
    readFileSync(`/proc/${pid}/status`, "utf8"),
  )?.[1];
  if (kib === undefined) throw new TypeError(`no ${line} of process ${pid}`);
  return Number(kib) / 1024;
}

async function underBulk(client: CMDOPClient, file: string, { progress }: BenchContext): Promise<Row> {
  progress("a small call while bulk runs");
  const call = () => client.files.info(file);
  const idle = percentile(await latencies(call, SMALL_CALLS), 0.5);
  let isOver = false;
  const load = (async () => {
    while (!isOver) for await (const _ of client.files.readStream(file)) if (isOver) break;
  })();
  const busy = percentile(await latencies(call, SMALL_CALLS), 0.5);
  isOver = true;
  await load;
  return {
    name: "a small call under bulk / idle, p50",
    unit: "ms",
    ours: busy,
    theirs: idle,
    aim: UNDER_BULK_AIM,
  };
}

async function smallFiles(
  client: CMDOPClient,
  sshd: Sshd | undefined,
  { directory, progress }: BenchContext,
): Promise<Row> {
  progress(`${SMALL_FILES} small files`);
  const tree = path.join(directory, "tree");
  await mkdir(tree);
  for (let index = 0; index < SMALL_FILES; index++) {
    await writeFile(path.join(tree, `file-${index}`), "x".repeat(index % 4096));
  }
  const ours = await millisecondsOf(() =>
    client.files.upload(tree, path.join(directory, "tree-up"), { recursive: true }),
  );
  const theirs =
    sshd === undefined
      ? NO_SSHD
      : await millisecondsOf(() => sshd.copy(tree, path.join(directory, "tree-scp")));
  return { name: `upload of ${SMALL_FILES} small files / scp -r`, unit: "ms", ours, theirs };
}

/** Reads a file to its end and keeps nothing. */
export async function read(client: CMDOPClient, file: string): Promise<void> {
  for await (const _ of client.files.readStream(file));
}

async function rate(once: () => Promise<unknown>): Promise<number> {
  return rateOf(once, FILE_MB * MB, ROUNDS);
}

/** MB/s, the best of some rounds: what disturbs only ever takes time. */
export async function rateOf(once: () => Promise<unknown>, bytes: number, rounds: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) best = Math.min(best, await millisecondsOf(once));
  return bytes / MB / (best / 1000);
}

async function millisecondsOf(once: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await once();
  return performance.now() - startedAt;
}
