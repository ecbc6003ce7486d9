import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, chown, link, mkdtempDisposable, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { Line } from "./line.ts";
import { localTarget } from "./local-target.ts";
import type { Content } from "./types.ts";

const run = promisify(execFile);

/** Installs tools that are not on every machine. */
beforeAll(async () => {
  await run("sh", ["-c", "command -v setfacl setfattr >&2 || apt-get install -y acl attr"]);
});

function arriving(text: string, attributes: Partial<Content> = {}): Content {
  const bytes = Buffer.from(text);
  return {
    path: "machine:file",
    size: bytes.length,
    mode: 0o644,
    mtimeMs: undefined,
    identity: undefined,
    async *read(from) {
      yield bytes.subarray(from);
    },
    finish: async () => createHash("sha256").update(bytes).digest(),
    [Symbol.asyncDispose]: async () => undefined,
    ...attributes,
  };
}

/** Downloads content to the file, and returns the reports on unusual writes. */
async function download(destination: string, content: Content, preserve = false): Promise<string[]> {
  using turn = new Line(1).turn();
  const said: string[] = [];
  await localTarget(destination).file("", content, {
    overwrite: true,
    resume: false,
    preserve,
    ifMatch: undefined,
    follow: true,
    signal: undefined,
    turn,
    passed: () => undefined,
    written: ({ message }) => said.push(message),
    left: () => undefined,
  });
  return said;
}

/** Makes a directory with a file that has attributes beside its content. */
async function dressed() {
  const directory = await mkdtempDisposable(path.join(tmpdir(), "cmdop-test-"));
  const file = path.join(directory.path, "file");
  await writeFile(file, "the old content, which is longer");
  return { file, directory: directory.path, [Symbol.asyncDispose]: () => directory.remove() };
}

async function dress(file: string): Promise<string> {
  const { stdout: acl } = await run("getfacl", ["--absolute-names", "--omit-header", file]);
  const { stdout: attributes } = await run("getfattr", ["--absolute-names", "--dump", "--match=-", file]);
  const { uid, gid, mode } = await stat(file);
  return [uid, gid, mode.toString(8), acl, attributes].join("\n");
}

describe("a file of this computer that a download replaces", () => {
  it("keeps its owner, ACL and attributes: no group may read it that could not", async () => {
    await using place = await dressed();
    await chmod(place.file, 0o600);
    await run("setfacl", ["--modify", "u:daemon:rw", place.file]);
    await run("setfattr", ["--name", "user.note", "--value", "kept", place.file]);
    await chown(place.file, 1, 2);
    const before = await dress(place.file);
    const { ino } = await stat(place.file);
    expect(await download(place.file, arriving("new"))).toEqual([]);
    expect(await dress(place.file)).toBe(before);
    expect(await readFile(place.file, "utf8")).toBe("new");
    // The file was replaced atomically: a process that has the old one open still reads it.
    expect((await stat(place.file)).ino).not.toBe(ino);
  });

  it("keeps no setuid, which was given to the old content, and has the source's mode and time where asked", async () => {
    await using place = await dressed();
    await chmod(place.file, 0o4755);
    await download(place.file, arriving("new"));
    expect((await stat(place.file)).mode & 0o7777).toBe(0o755);
    await download(place.file, arriving("newer", { mode: 0o640, mtimeMs: 1_000_000 }), true);
    const { mode, mtimeMs } = await stat(place.file);
    expect([mode & 0o7777, mtimeMs]).toEqual([0o640, 1_000_000]);
  });

  it("keeps its other names (hard links), and says so", async () => {
    await using place = await dressed();
    const other = path.join(place.directory, "other");
    await link(place.file, other);
    const said = await download(place.file, arriving("new"));
    expect(said).toEqual([expect.stringContaining("2 names (hard links), which stay one file")]);
    expect(await readFile(other, "utf8")).toBe("new");
    expect(await readdir(place.directory)).toEqual(["file", "other"]);
  });

  it("is written in place where it is a mount point, and that is said", async () => {
    await using place = await dressed();
    const target = path.join(place.directory, "mounted");
    await writeFile(target, "");
    await run("mount", ["--bind", place.file, target]);
    try {
      expect(await download(target, arriving("new"))).toEqual([expect.stringContaining("a mount point")]);
    } finally {
      await run("umount", [target]);
    }
    expect(await readFile(place.file, "utf8")).toBe("new");
    expect(await readFile(target, "utf8")).toBe("");
    expect(await readdir(place.directory)).toEqual(["file", "mounted"]);
  });
});
