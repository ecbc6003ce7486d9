import { mkdir, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { CMDOPClient } from "@cmdop/sdk";
import { Cluster } from "../../../e2e/support/cluster.ts";
import { NO_SSHD, Sshd } from "../peers/sshd.ts";
import { latencies, percentile } from "../statistics.ts";
import type { BenchContext, Row, Suite } from "../suite.ts";

const MB = 1_000_000;

/** Of the large file; less for a quick look. */
const FILE_MB = Number(process.env.CMDOP_BENCH_MB ?? 512);

/** Small files of one tree. */
const SMALL_FILES = Number(process.env.CMDOP_BENCH_FILES ?? 10_000);

/** A second of each makes the first not count. */
const ROUNDS = 3;

/** Aims, in one run. */
const DIRECT_AIM = { atLeast: 1.0 } as const;
const JUMP_AIM = { atLeast: 2.0 } as const;
const UNDER_BULK_AIM = { atMost: 3 } as const;

const SMALL_CALLS = { count: 200, warmUp: 20 };

export const bulk: Suite = {
  name: "bulk",
  about: `${FILE_MB} MB and ${SMALL_FILES} small files, both ways; beside ssh cat, scp and sftp`,
  async run(context) {
    const file = path.join(context.directory, "large");
    await writeFile(file, "");
    await truncate(file, FILE_MB * MB);
    await using cluster = await Cluster.start();
    const machine = await cluster.addMachine("bench");
    await using relayed = await cluster.client();
    await using local = CMDOPClient.local({ home: machine.home });
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
    rows.push(await underBulk(relayed, file, context), await smallFiles(relayed, sshd, context));
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
