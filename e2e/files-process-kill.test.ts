import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { filesProcessOf } from "./support/files-process.ts";
import { isAlive, waitUntil } from "./support/wait.ts";

const MiB = 1024 * 1024;
const SIZE = 96 * MiB;

/** Kills the process that works on files for a machine, as soon as there is one. */
async function killFilesProcess(agentPid: number): Promise<number> {
  let pid: number | undefined;
  await waitUntil(async () => {
    pid = await filesProcessOf(agentPid);
    return pid !== undefined;
  });
  if (pid === undefined) throw new Error("there is no process for files");
  process.kill(pid, "SIGKILL");
  return pid;
}

it("an upload and a download go on when the process that works on files is killed in their middle", async () => {
  await using cluster = await Cluster.start();
  const machine = await cluster.addMachine("web-1");
  await using client = await cluster.client();
  const at = (name: string): string => path.join(cluster.directory, name);
  const content = randomBytes(SIZE);
  await writeFile(at("from"), content);
  const kills: Promise<number>[] = [];
  /** Kills once so much has passed, twice for each transfer. */
  const onProgress = () => {
    let count = 0;
    return ({ bytes }: { bytes: number }): void => {
      if (bytes < ((count + 1) * SIZE) / 3 || count === 2) return;
      count += 1;
      kills.push(killFilesProcess(machine.process.pid));
    };
  };
  await client.files.upload(at("from"), at("up"), { onProgress: onProgress() });
  expect((await readFile(at("up"))).equals(content)).toBe(true);
  await client.files.download(at("up"), at("down"), { onProgress: onProgress() });
  expect((await readFile(at("down"))).equals(content)).toBe(true);
  expect(new Set(await Promise.all(kills)).size).toBeGreaterThanOrEqual(3);
  await waitUntil(
    async () => !(await readdir(cluster.directory)).some((name) => name.startsWith(".cmdop-tmp-")),
  );
});

it("a killed agent leaves no process behind that works on files, and a stopped one neither", async () => {
  await using cluster = await Cluster.start();
  const machine = await cluster.addMachine("web-1");
  await using client = await cluster.client();
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    await client.files.list(cluster.directory);
    const pid = (await filesProcessOf(machine.process.pid)) ?? 0;
    expect(pid).toBeGreaterThan(0);
    await machine.process.stop(signal);
    await waitUntil(() => !isAlive(pid));
    await cluster.restartAgent(machine);
  }
});
