import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { waitUntil } from "./support/wait.ts";

it("an agent that is killed in mid-write leaves the old content, and its next start removes what was begun", async () => {
  await using cluster = await Cluster.start();
  const machine = await cluster.addMachine("web-1");
  await using client = await cluster.client();
  const directory = path.join(cluster.directory, "data");
  await mkdir(directory);
  const file = path.join(directory, "f");
  await writeFile(file, "old");
  const endless = async function* () {
    for (;;) {
      yield Buffer.alloc(100_000, "new");
      await sleep(20);
    }
  };
  const writing = client.files.write(file, endless());
  const failed = expect(writing).rejects.toMatchObject({ code: "LinkLost" });
  await waitUntil(async () => (await readdir(directory)).length === 2);
  await machine.process.stop("SIGKILL");
  await failed;
  expect(await readdir(directory)).toHaveLength(2);
  await cluster.restartAgent(machine);
  await waitUntil(async () => (await readdir(directory)).length === 1);
  expect(await client.files.readText(file)).toBe("old");
  const log = path.join(machine.home, "agent", "unfinished.log");
  await waitUntil(async () => (await readFile(log, "utf8")) === "");
});
