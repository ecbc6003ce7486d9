import { appendFile, mkdir, rmdir, symlink } from "node:fs/promises";
import path from "node:path";
import type { CMDOPClient } from "@cmdop/sdk";
import { expect, it, onTestFinished } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { DeadMount } from "./support/dead-mount.ts";
import { waitUntil } from "./support/wait.ts";

/** All that another key may want of a machine. */
async function usesAll(client: CMDOPClient, directory: string): Promise<void> {
  const file = path.join(directory, "healthy");
  await client.files.write(file, "healthy");
  expect(await client.files.readText(file)).toBe("healthy");
  expect((await client.terminal.execute("echo 1")).stdout).toBe("1\n");
  const aborting = new AbortController();
  const canceled = client.terminal.execute("sleep 100", { signal: aborting.signal });
  aborting.abort();
  expect((await canceled).outcome).toBe("canceled");
  const session = await client.terminal.create({ shell: "/bin/sh" });
  expect((await client.terminal.list()).some(({ jobId }) => jobId === session.sessionId)).toBe(true);
  await session.close();
}

/** What became of calls that were never to come to a good end. */
async function failures(calls: readonly Promise<unknown>[]): Promise<unknown[]> {
  const ends = await Promise.allSettled(calls);
  return ends.map((end) => (end.status === "rejected" ? end.reason : "fulfilled"));
}

it.each([8, 70])("%i calls on a mount that does not answer cost nobody else anything", async (count) => {
  await using cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  await using hanging = await cluster.client(["files:read", "files:write"]);
  await using other = await cluster.client();
  await using mount = await DeadMount.mount();
  await usesAll(other, cluster.directory);

  const on = (index: number): Promise<unknown> => {
    const file = path.join(mount.directory, `f${index}`);
    if (index % 4 === 0) return hanging.files.readText(file);
    if (index % 4 === 1) return hanging.files.list(mount.directory);
    return index % 4 === 2 ? hanging.files.info(file) : hanging.files.write(file, "x");
  };
  const calls = Array.from({ length: count }, (_, index) => on(index));
  const ended = failures(calls);
  await usesAll(other, cluster.directory);
  for (const failure of await ended) {
    expect(failure).toMatchObject({ code: expect.stringMatching(/^(MountStalled|OutcomeUnknown)$/) });
    expect(failure).toMatchObject({ message: expect.stringContaining(mount.directory) });
  }

  // From now on it is known: nothing is begun on it, whoever asks, and its own key goes on elsewhere.
  const write = other.files.write(path.join(mount.directory, "f"), "x");
  await expect(write).rejects.toMatchObject({ code: "MountStalled" });
  await expect(hanging.files.list(mount.directory)).rejects.toMatchObject({ code: "MountStalled" });
  expect(await hanging.files.readText(path.join(cluster.directory, "healthy"))).toBe("healthy");

  // It answers, if only by an error: then it is told like any other.
  mount.release();
  await waitUntil(async () => {
    const [failure] = await failures([hanging.files.list(mount.directory)]);
    return JSON.stringify(failure).includes("ENOTCONN") || String(failure).includes("ENOTCONN");
  });
});

it("a link that leads to it is found out, and so is a mount that goes away", async () => {
  await using cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  await using client = await cluster.client();
  const link = path.join(cluster.directory, "link");
  let directory: string;
  {
    await using mount = await DeadMount.mount();
    ({ directory } = mount);
    await symlink(directory, link);
    const through = client.files.list(link);
    await expect(through).rejects.toMatchObject({ message: expect.stringContaining(mount.directory) });
    await expect(client.files.list(link)).rejects.toMatchObject({ code: "MountStalled" });
    expect((await client.files.list(cluster.directory)).entries.length).toBeGreaterThan(0);
  }
  await mkdir(directory);
  onTestFinished(() => rmdir(directory));
  await waitUntil(async () => (await failures([client.files.list(link)]))[0] === "fulfilled");
});

it("neither agent nor relay waits for it to start, whatever is left unfinished there", async () => {
  await using cluster = await Cluster.start();
  const machine = await cluster.addMachine("web-1");
  await using client = await cluster.client();
  await using mount = await DeadMount.mount();
  const [ended] = await failures([client.files.list(mount.directory)]);
  expect(ended).toMatchObject({ code: "MountStalled" });
  await cluster.relay.stop();
  await cluster.restartRelay();
  await waitUntil(async () => (await failures([usesAll(client, cluster.directory)]))[0] === "fulfilled");
  await machine.process.stop();
  const begun = { directory: mount.directory, upload: false, atMs: Date.now() };
  const line = `\n${JSON.stringify({ name: ".cmdop-tmp-0123456789abcdef", begun })}`;
  await appendFile(path.join(machine.home, "agent", "unfinished.log"), line);
  await cluster.restartAgent(machine);
  await waitUntil(async () => (await failures([usesAll(client, cluster.directory)]))[0] === "fulfilled");
});
