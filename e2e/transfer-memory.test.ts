import { readFileSync, writeFileSync } from "node:fs";
import { truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { residentBytes } from "./support/memory.ts";

const MiB = 1024 * 1024;

/** Several times what may be held. */
const FILE_BYTES = 600 * MiB;

/** Above idle, of each process: windows, buffers, and what has not been collected yet. */
const BOUND_BYTES = 200 * MiB;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** The most that a process has had since the last call for it. */
function peakBytes(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  return Number(kib) * 1024;
}

it("promise 9: however large a file is, relay and agent hold little of it, up and down", async () => {
  await using client = await cluster.client();
  const file = path.join(cluster.directory, "large");
  await writeFile(file, "");
  await truncate(file, FILE_BYTES);
  const pids = [cluster.relay.pid, cluster.machines[0]?.process.pid ?? -1];
  const idle = await Promise.all(pids.map(residentBytes));
  pids.map(peakBytes);
  await client.files.upload(file, path.join(cluster.directory, "up"));
  await client.files.download(path.join(cluster.directory, "up"), path.join(cluster.directory, "down"));
  for (const [index, peak] of pids.map(peakBytes).entries()) {
    expect(peak - (idle[index] ?? 0)).toBeLessThan(BOUND_BYTES);
  }
});
