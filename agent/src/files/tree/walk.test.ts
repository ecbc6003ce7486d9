import { chmod, mkdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { Entry } from "../place/entry.ts";
import { collected, makeScratch, NEVER, refusalCode, run, type Scratch } from "../place/test-support.ts";
import { list } from "./list.ts";
import { type WalkOptions, walk } from "./walk.ts";

const ALL: WalkOptions = { maxDepth: 0, names: [], exclude: [], includeHidden: true };

function walked(
  scratch: Scratch,
  directory: string,
  options: Partial<WalkOptions> = {},
  ...roots: string[][]
) {
  return collected(walk(scratch.boundary(...roots), directory, { ...ALL, ...options }, NEVER));
}

const below = (scratch: Scratch, entries: readonly Entry[]): string[] =>
  entries.map((entry) => path.relative(scratch.at("d"), entry.path)).sort();

describe("walk", () => {
  it("tells of everything once, links as links, each directory before its content", async () => {
    await using scratch = await makeScratch();
    await scratch.file("d/a/b/f", "12345");
    await scratch.file("d/.hidden/g");
    await symlink("../a", scratch.at("d/a/loop"));
    await run("mkfifo", [scratch.at("d/fifo")]);
    const entries = await walked(scratch, scratch.at("d"));
    expect(below(scratch, entries)).toEqual([".hidden", ".hidden/g", "a", "a/b", "a/b/f", "a/loop", "fifo"]);
    const seen = new Set<string>([scratch.at("d")]);
    for (const { path: each } of entries) {
      expect(seen).toContain(path.dirname(each));
      seen.add(each);
    }
    expect(entries.find(({ name }) => name === "f")).toMatchObject({ type: "file", size: 5n });
    expect(entries.find(({ name }) => name === "loop")).toMatchObject({ linkTarget: "../a" });
  });

  it("goes as deep, and shows and leaves out, as asked", async () => {
    await using scratch = await makeScratch();
    for (const name of ["a.ts", "b.js", "x/c.ts", "x/y/d.ts", ".git/e.ts", "skip/f.ts"])
      await scratch.file(`d/${name}`);
    const names = async (options: Partial<WalkOptions>) =>
      below(scratch, await walked(scratch, scratch.at("d"), options));
    expect(await names({ maxDepth: 1, includeHidden: false })).toEqual(["a.ts", "b.js", "skip", "x"]);
    expect(await names({ maxDepth: 2, names: ["*.ts"] })).toEqual([
      ".git/e.ts",
      "a.ts",
      "skip/f.ts",
      "x/c.ts",
    ]);
    expect(await names({ names: ["x/**/*.ts", "b*"], includeHidden: false })).toEqual([
      "b.js",
      "x/c.ts",
      "x/y/d.ts",
    ]);
    expect(await names({ exclude: ["skip", ".*", "x/y"] })).toEqual(["a.ts", "b.js", "x", "x/c.ts"]);
  });

  it("says what it could not read, and goes on", async () => {
    await using scratch = await makeScratch();
    await scratch.file("home/seen");
    const entries = await walked(scratch, scratch.home);
    expect(entries.map(({ name, unread }) => [name, unread?.reason]).sort()).toEqual([
      [".cmdop", "unreadable"],
      ["seen", undefined],
    ]);
    expect(
      JSON.stringify(entries, (_, value) => (typeof value === "bigint" ? Number(value) : value)),
    ).not.toContain("machine.key");
  });

  it("says of a directory that its user may not read that it may not", async ({ skip }) => {
    skip(process.getuid?.() !== 0, "only root can act as somebody else");
    await using scratch = await makeScratch();
    await scratch.file("d/closed/f");
    await scratch.file("d/open/f");
    await chmod(scratch.dir, 0o755);
    await chmod(scratch.at("d/closed"), 0o700);
    process.seteuid?.(65534);
    try {
      const entries = await walked(scratch, scratch.at("d"));
      expect(below(scratch, entries)).toEqual(["closed", "open", "open/f"]);
      expect(entries.find(({ name }) => name === "closed")?.unread).toMatchObject({ reason: "unreadable" });
    } finally {
      process.seteuid?.(0);
    }
  });

  it("goes through 100,000 entries in pieces: memory does not grow with the directory", async () => {
    // In memory where that can be: making them is what takes long.
    const inMemory = await stat("/dev/shm").then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    await using scratch = await makeScratch(inMemory ? "/dev/shm" : undefined);
    await mkdir(scratch.at("d"));
    await run("sh", ["-c", "seq -f 'file-with-quite-a-long-name-%06g' 100000 | xargs touch"], {
      cwd: scratch.at("d"),
    });
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    let count = 0;
    let most = 0;
    for await (const { name } of walk(scratch.boundary(), scratch.at("d"), ALL, NEVER)) {
      count += name.length === 34 ? 1 : 0;
      if (count % 5_000 === 0) most = Math.max(most, process.memoryUsage().heapUsed - before);
    }
    expect(count).toBe(100_000);
    expect(most).toBeLessThan(100_000_000);
    // And in pages: each name once, in order.
    const names: string[] = [];
    for (let page = ""; names.length === 0 || page !== ""; ) {
      const answer = await list(scratch.boundary(), scratch.at("d"), {
        pageSize: 10_000,
        page,
        includeHidden: true,
      });
      names.push(...answer.entries.map(({ name }) => name));
      page = answer.nextPage;
    }
    expect([names.length, new Set(names).size]).toEqual([100_000, 100_000]);
    expect(names.every((name, index) => index === 0 || name > (names[index - 1] ?? ""))).toBe(true);
  }, 120_000);

  it("refuses what is no directory, and ends when its caller leaves", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("d/f");
    expect(await refusalCode(walked(scratch, file))).toBe("NotADirectory");
    expect(await refusalCode(walked(scratch, scratch.at("gone")))).toBe("NotFound");
    const gone = walk(scratch.boundary(), scratch.dir, ALL, AbortSignal.abort());
    expect(await refusalCode(gone.next())).toBe("Canceled");
  });

  it("stays in a confined caller's directory, whatever is swapped for links on the way", async () => {
    await using scratch = await makeScratch();
    await scratch.file("outside/only-outside");
    await mkdir(scratch.at("d"));
    for (let index = 0; index < 50; index++) await scratch.file(`d/${index}/inside`);
    let swapped = 0;
    const roots = [scratch.at("d")];
    for await (const entry of walk(scratch.boundary(roots), scratch.at("d"), ALL, NEVER)) {
      expect(entry.name).not.toBe("only-outside");
      if (entry.type !== "directory") continue;
      // The next ones, between their description and their opening.
      for (const next of [swapped, swapped + 1]) {
        const at = scratch.at("d", String(next));
        await rename(at, `${at}-moved`).catch(() => undefined);
        await symlink(scratch.at("outside"), at).catch(() => undefined);
      }
      swapped += 2;
    }
    expect(swapped).toBeGreaterThan(10);
    expect(await refusalCode(walked(scratch, scratch.at("outside"), {}, roots))).toBe("PolicyDenied");
  });

  it("tells of names that are not UTF-8, of 255 bytes, and of what vanishes", async () => {
    await using scratch = await makeScratch();
    const long = "x".repeat(255);
    await scratch.file(`d/${long}/f`);
    const raw = Buffer.concat([Buffer.from(`${scratch.at("d")}/`), Buffer.from([0xff])]);
    await mkdir(raw);
    await writeFile(Buffer.concat([raw, Buffer.from("/inside")]), "");
    const entries = await walked(scratch, scratch.at("d"));
    expect(below(scratch, entries)).toEqual(["\\xFF", "\\xFF/inside", long, `${long}/f`]);
    await rm(raw, { recursive: true });
  });
});
