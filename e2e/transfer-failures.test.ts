import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";

/** Takes so long that an agent can be killed in the middle. */
const FILE_BYTES = 96 * 1024 * 1024;

/** More than the disk of an agent takes that is started with a full one. */
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
    await writeFile(at("source"), randomBytes(FULL_DISK_FILE_BYTES));
    await writeFile(at("target"), "old");
    await machine.process.stop();
    await cluster.restartAgent(machine, { fullDisk: true });
    // The limit that stands for the full disk gives EFBIG; the disk itself would give NoSpace.
    await expect(client.files.upload(at("source"), at("target"))).rejects.toMatchObject({
      code: "LimitExceeded",
    });
    expect(await readFile(at("target"), "utf8")).toBe("old");
    expect((await readdir(at())).sort()).toEqual(["source", "target"]);
  });
});
