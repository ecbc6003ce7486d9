import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";
import { SmallDisk } from "./support/small-disk.ts";

/** Takes so long that an agent can be killed in the middle. */
const FILE_BYTES = 96 * 1024 * 1024;

/** The size of a disk that is too small, in bytes: its old file has its place there, too. */
const FULL_DISK_FILE_BYTES = 1024 * 1024;

const TIME_LIMIT_MS = 90_000;

let cluster: Cluster;
let machine: ClusterMachine;
let client: CMDOPClient;
beforeEach(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  client = await cluster.client();
  await mkdir(at());
});
afterEach(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});
const at = (...names: string[]): string => path.join(cluster.directory, "files", ...names);

describe("transfers that meet trouble", { timeout: TIME_LIMIT_MS }, () => {
  it("up, survive an agent that is killed in the middle, and go on where it was", async () => {
    const content = randomBytes(FILE_BYTES);
    await writeFile(at("source"), content);
    await writeFile(at("target"), "old");
    const { promise: half, resolve } = Promise.withResolvers<void>();
    const onProgress = ({ bytes }: { bytes: number }) => bytes > FILE_BYTES / 2 && resolve();
    const upload = client.files.upload(at("source"), at("target"), { onProgress });
    await half;
    machine.process.signal("SIGKILL");
    await machine.process.stop("SIGKILL");
    expect(await readFile(at("target"), "utf8")).toBe("old");
    expect(await readdir(at())).toHaveLength(3);
    await cluster.restartAgent(machine);
    expect(await upload).toMatchObject({ bytes: FILE_BYTES, files: 1 });
    expect(content.equals(await readFile(at("target")))).toBe(true);
    expect((await readdir(at())).sort()).toEqual(["source", "target"]);
  });

  it("up onto a full disk, say so and leave the old content and nothing else", async () => {
    using disk = SmallDisk.mount({ bytes: FULL_DISK_FILE_BYTES });
    const target = path.join(disk.directory, "target");
    await writeFile(at("source"), randomBytes(FULL_DISK_FILE_BYTES));
    await writeFile(target, "old");
    await expect(client.files.upload(at("source"), target)).rejects.toMatchObject({ code: "NoSpace" });
    expect(await readFile(target, "utf8")).toBe("old");
    expect(await readdir(disk.directory)).toEqual(["target"]);
  });
});
