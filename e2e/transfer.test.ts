import { createHash, randomBytes } from "node:crypto";
import { appendFileSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CutWorld, startCutWorld } from "./support/in-process.ts";
import { Random, SEED } from "./support/random.ts";

/** Several times what a connection lives for. */
const FILE_BYTES = 24 * 1024 * 1024;

/** A connection is cut after at most as many bytes. */
const MAX_CONNECTION_BYTES = 20 * 1024 * 1024;

/** A cut costs two handshakes and a pause; this is many times that, in milliseconds. */
const TIME_LIMIT_MS = 120_000;

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

let world: CutWorld;
beforeEach(async () => {
  world = await startCutWorld(new Random(SEED), MAX_CONNECTION_BYTES);
});
afterEach(async () => {
  world.cutting = false;
  await world[Symbol.asyncDispose]();
});
const at = (...names: string[]): string => path.join(world.directory, "files", ...names);
const unfinished = async (): Promise<string[]> =>
  (await readdir(at(), { recursive: true })).filter((name) => /\.cmdop-/.test(name));

/** A tree with what trees have. */
async function makeTree(root: string): Promise<void> {
  await mkdir(path.join(root, "a/b"), { recursive: true });
  await mkdir(path.join(root, "empty"));
  for (let index = 0; index < 40; index++) await writeFile(path.join(root, "a", `f${index}`), `${index}`);
  await writeFile(path.join(root, "a/b/large"), randomBytes(3_000_000));
  await writeFile(path.join(root, "run.sh"), "#!/bin/sh\n");
  await chmod(path.join(root, "run.sh"), 0o750);
  await symlink("../run.sh", path.join(root, "a/link"));
  await symlink("/nowhere/at all", path.join(root, "dangling"));
}

/** What a tree comes to: types, modes, contents, links. */
async function treeOf(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const mode = entry.isSymbolicLink() ? "" : ((await stat(file)).mode & 0o777).toString(8);
    const content = entry.isFile() ? sha256(await readFile(file)) : "";
    const target = entry.isSymbolicLink() ? await readlink(file) : "";
    found[path.relative(root, file)] = [mode, content, target].join(" ");
  }
  return found;
}

describe("transfers", { timeout: TIME_LIMIT_MS }, () => {
  beforeEach(() => mkdir(at()));

  it("up and down, whole, over cuts at random bytes, from where they broke", async () => {
    const content = randomBytes(FILE_BYTES);
    await writeFile(at("source"), content);
    await writeFile(at("there"), "old");
    world.cutting = true;
    let seen = 0;
    const onProgress = ({ bytes }: { bytes: number }) => {
      expect(bytes).toBeGreaterThanOrEqual(seen);
      seen = bytes;
    };
    const up = await world.client.files.upload(at("source"), at("there"), { onProgress });
    expect(up).toEqual({ bytes: FILE_BYTES, files: 1, skipped: [], sha256: sha256(content) });
    expect(seen).toBe(FILE_BYTES);
    const cutsUp = world.cuts;
    const down = await world.client.files.download(at("there"), at("back"));
    expect(down.sha256).toBe(sha256(content));
    expect([cutsUp > 0, world.cuts > cutsUp]).toEqual([true, true]);
    expect(content.equals(await readFile(at("there")))).toBe(true);
    expect(content.equals(await readFile(at("back")))).toBe(true);
    expect(await unfinished()).toEqual([]);
  });

  it("trees, with links and modes, both ways, over cuts", async () => {
    await makeTree(at("tree"));
    world.cutting = true;
    const { files } = world.client;
    await expect(files.upload(at("tree"), at("up"))).rejects.toMatchObject({ code: "IsADirectory" });
    expect(await files.upload(at("tree"), at("up"), { recursive: true })).toMatchObject({
      files: 42,
      skipped: [],
    });
    await files.download(at("up"), at("down"), { recursive: true });
    const before = await treeOf(at("tree"));
    expect(await treeOf(at("up"))).toEqual(before);
    expect(await treeOf(at("down"))).toEqual(before);
    await files.transfer(at("up"), files, at("across"), { recursive: true });
    expect(await treeOf(at("across"))).toEqual(before);
    // And again, onto what is there.
    await files.upload(at("tree"), at("up"), { recursive: true });
    expect(await treeOf(at("up"))).toEqual(before);
    expect(await unfinished()).toEqual([]);
  });

  it("exactly one file, where there must be none before, over cuts", async () => {
    await writeFile(at("source"), randomBytes(FILE_BYTES));
    world.cutting = true;
    const { files } = world.client;
    await files.upload(at("source"), at("new"), { overwrite: false });
    await expect(files.upload(at("source"), at("new"), { overwrite: false })).rejects.toMatchObject({
      code: "AlreadyExists",
    });
    await expect(files.download(at("source"), at("new"), { overwrite: false })).rejects.toMatchObject({
      code: "AlreadyExists",
    });
  });

  it("canceled, leave the old content and nothing else; with resume, go on there", async () => {
    const content = randomBytes(FILE_BYTES);
    await writeFile(at("source"), content);
    await writeFile(at("target"), "old");
    const { files } = world.client;
    const half = (resume: boolean) => {
      const controller = new AbortController();
      const onProgress = ({ bytes }: { bytes: number }) => bytes > FILE_BYTES / 2 && controller.abort();
      return { resume, signal: controller.signal, onProgress };
    };
    const canceled = { code: "Canceled" };
    await expect(files.upload(at("source"), at("target"), half(false))).rejects.toMatchObject(canceled);
    await expect(files.download(at("source"), at("target"), half(false))).rejects.toMatchObject(canceled);
    expect(await readFile(at("target"), "utf8")).toBe("old");
    await expect.poll(unfinished).toEqual([]);
    for (const way of ["upload", "download"] as const) {
      await writeFile(at("target"), "old");
      await expect(files[way](at("source"), at("target"), half(true))).rejects.toMatchObject(canceled);
      expect(await readFile(at("target"), "utf8")).toBe("old");
      expect(await unfinished()).toHaveLength(1);
      const seen: number[] = [];
      await files[way](at("source"), at("target"), {
        resume: true,
        onProgress: ({ bytes }) => seen.push(bytes),
      });
      expect(content.equals(await readFile(at("target")))).toBe(true);
      expect(await unfinished()).toEqual([]);
    }
  });

  it("of a source that changes are refused and change nothing; what only grows is brought as it was", async () => {
    await writeFile(at("source"), randomBytes(FILE_BYTES));
    await writeFile(at("target"), "old");
    const { files } = world.client;
    for (const way of ["upload", "download"] as const) {
      let isChanged = false;
      const onProgress = () => {
        if (!isChanged) appendFileSync(at("source"), "more");
        isChanged = true;
      };
      const outcome = files[way](at("source"), at("target"), { onProgress });
      if (way === "upload") await expect(outcome).rejects.toMatchObject({ code: "FileChanged" });
      else await outcome;
    }
    expect((await stat(at("target"))).size).toBeGreaterThanOrEqual(FILE_BYTES);
    await expect.poll(unfinished).toEqual([]);
  });
});
