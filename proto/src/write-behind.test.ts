import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WriteBehind } from "./write-behind.ts";

const MiB = 1024 * 1024;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "cmdop-behind-"));
});
afterEach(() => rm(directory, { recursive: true }));

describe("writing behind", () => {
  it("gives the disk what was written every 32 MiB, one sync at a time", async () => {
    await using file = await open(path.join(directory, "file"), "w");
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
    const datasync = vi.spyOn(file, "datasync").mockReturnValueOnce(held);
    const behind = new WriteBehind(file);
    behind.wrote(31 * MiB);
    expect(datasync).toHaveBeenCalledTimes(0);
    behind.wrote(MiB);
    behind.wrote(64 * MiB);
    expect(datasync).toHaveBeenCalledTimes(1);
    letGo();
    await behind.finish();
    behind.wrote(1);
    expect(datasync).toHaveBeenCalledTimes(2);
    await behind.finish();
  });

  it("promise 1: tells at the end of what the disk said on the way", async () => {
    await using file = await open(path.join(directory, "file"), "w");
    const failed = Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
    const datasync = vi.spyOn(file, "datasync").mockRejectedValueOnce(failed);
    const behind = new WriteBehind(file);
    behind.wrote(32 * MiB);
    await new Promise(setImmediate);
    behind.wrote(32 * MiB);
    expect(datasync).toHaveBeenCalledTimes(1);
    await expect(behind.finish()).rejects.toBe(failed);
  });
});
