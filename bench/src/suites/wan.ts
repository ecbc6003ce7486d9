import { truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { CMDOPClient } from "@cmdop/sdk";
import { Cluster } from "../../../e2e/support/cluster.ts";
import { startDelayingProxy } from "../peers/delaying-proxy.ts";
import { NO_SSHD, Sshd } from "../peers/sshd.ts";
import { latencies, percentile } from "../statistics.ts";
import type { BenchContext, Row, Suite } from "../suite.ts";
import { rateOf, read } from "./bulk.ts";

const MB = 1_000_000;

/** Between the caller and everything else, in milliseconds. */
const ROUND_TRIP_MS = 100;

/** Of the large file; less for a quick look. */
const FILE_MB = Number(process.env.CMDOP_BENCH_MB ?? 512);

const ROUNDS = 2;

/** Aims, in one run. */
const BULK_AIM = { atLeast: 5 } as const;
const WARM_AIM = { atMost: 0.55 } as const;
const COLD_AIM = { atMost: 0.3 } as const;

const WARM = { count: 20, warmUp: 3 };
const COLD = { count: 5, warmUp: 1 };

/** The caller is far from the relay and the machine, as a person at home is from a data centre. */
export const wan: Suite = {
  name: "wan",
  about: `commands and ${FILE_MB} MB at ${ROUND_TRIP_MS} ms round trip; beside ssh and scp`,
  async run(context) {
    const file = path.join(context.directory, "large");
    await writeFile(file, "");
    await truncate(file, FILE_MB * MB);
    await using cluster = await Cluster.start();
    await cluster.addMachine("bench");
    await using far = await startDelayingProxy(cluster.relayAddress, ROUND_TRIP_MS);
    const scopes = ["terminal", "files:read", "files:write"];
    const { apiKey } = await cluster.createKey({ scopes, machines: ["bench"] });
    const connect = () => CMDOPClient.remote({ apiKey, relay: `${far.host}:${far.port}`, machine: "bench" });
    await using client = connect();
    await using sshd = await Sshd.start({ through: (target) => startDelayingProxy(target, ROUND_TRIP_MS) });
    const ssh = await sshFigures(sshd, file, context);

    context.progress("exec true, warm and cold");
    const warm = percentile(await latencies(() => client.terminal.execute("true"), WARM), 0.5);
    const bytes = FILE_MB * MB;
    context.progress("large file");
    const down = await rateOf(() => read(client, file), bytes, ROUNDS);
    const up = await rateOf(
      () => client.files.upload(file, path.join(context.directory, "up")),
      bytes,
      ROUNDS,
    );
    // Last and with that one closed: clients of one relay share a connection.
    await client.close();
    const cold = percentile(
      await latencies(async () => {
        await using fresh = connect();
        await fresh.terminal.execute("true");
      }, COLD),
      0.5,
    );
    const rows: Row[] = [
      { name: "exec true, warm, p50", unit: "ms", ours: warm, theirs: ssh.warm, aim: WARM_AIM },
      { name: "connect and first exec, p50", unit: "ms", ours: cold, theirs: ssh.cold, aim: COLD_AIM },
      { name: "readStream / ssh cat", unit: "MB/s", ours: down, theirs: ssh.down, aim: BULK_AIM },
      { name: "upload, verified, / scp", unit: "MB/s", ours: up, theirs: ssh.up, aim: BULK_AIM },
    ];
    return rows;
  },
};

interface SshFigures {
  readonly warm: number | string;
  readonly cold: number | string;
  readonly down: number | string;
  readonly up: number | string;
}

async function sshFigures(
  sshd: Sshd | undefined,
  file: string,
  { directory, progress }: BenchContext,
): Promise<SshFigures> {
  if (sshd === undefined) return { warm: NO_SSHD, cold: NO_SSHD, down: NO_SSHD, up: NO_SSHD };
  progress("ssh and scp");
  const bytes = FILE_MB * MB;
  return {
    warm: percentile(await latencies(() => sshd.warm("true"), WARM), 0.5),
    cold: percentile(await latencies(() => sshd.cold("true"), COLD), 0.5),
    down: await rateOf(() => sshd.warm(`cat '${file}'`), bytes, ROUNDS),
    up: await rateOf(() => sshd.copy(file, path.join(directory, "ssh")), bytes, ROUNDS),
  };
}
