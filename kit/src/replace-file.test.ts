import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isOpenToOthers, replacePrivateFile } from "./replace-file.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-kit-"));
});

afterEach(() => rm(directory, { recursive: true }));

describe("replacePrivateFile", () => {
  it("makes a file that only its owner can read, and replaces one whatever its mode was", async () => {
    const file = path.join(directory, "key");
    await replacePrivateFile(file, "one");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await rm(file);
    await writeFile(file, "old", { mode: 0o644 });
    await replacePrivateFile(file, Buffer.from("two"));
    expect(await readFile(file, "utf8")).toBe("two");
    expect(isOpenToOthers((await stat(file)).mode)).toBe(false);
    expect(await readdir(directory)).toEqual(["key"]);
  });

  it("leaves nothing beside a file that it can't replace", async () => {
    await mkdir(path.join(directory, "key"));
    await expect(replacePrivateFile(path.join(directory, "key"), "x")).rejects.toThrow();
    expect(await readdir(directory)).toEqual(["key"]);
  });
});

it("sees a mode that lets others in", () => {
  expect([0o600, 0o700, 0o400].map(isOpenToOthers)).toEqual([false, false, false]);
  expect([0o640, 0o604, 0o601, 0o660].map(isOpenToOthers)).toEqual([true, true, true, true]);
});
