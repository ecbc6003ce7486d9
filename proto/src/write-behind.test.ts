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

const opened = (name: string) => open(path.join(directory, name), "w");

describe("writing behind", () => {
  it("gives the disk what was written every 32 MiB, one file at a time", async () => {
    await using file = await opened("a");
    await using other = await opened("b");
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
    const datasync = vi.spyOn(file, "datasync").mockReturnValueOnce(held);
    const others = vi.spyOn(other, "datasync");
    const behind = new WriteBehind(file);
    const beside = new WriteBehind(other);
    behind.wrote(31 * MiB);
    expect(datasync).toHaveBeenCalledTimes(0);
    behind.wrote(MiB);
    behind.wrote(64 * MiB);
    beside.wrote(64 * MiB);
    expect([datasync.mock.calls.length, others.mock.calls.length]).toEqual([1, 0]);
    letGo();
    await behind.settled();
    beside.wrote(1);
    expect(others).toHaveBeenCalledTimes(1);
    await beside.finish();
    behind.wrote(1);
    expect(datasync).toHaveBeenCalledTimes(2);
    await behind.finish();
  });

  it("promise 1: tells whoever asks of what the disk said on the way, and takes no more", async () => {
    await using file = await opened("a");
    const failed = Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
    const datasync = vi.spyOn(file, "datasync").mockRejectedValueOnce(failed);
    const behind = new WriteBehind(file);
    behind.wrote(32 * MiB);
    await expect(behind.settled()).rejects.toBe(failed);
    await expect(behind.finish()).rejects.toBe(failed);
    expect(() => behind.wrote(32 * MiB)).toThrow(failed);
    expect(datasync).toHaveBeenCalledTimes(1);
  });
});
