import { execFileSync } from "node:child_process";
import { chmod, mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { MAX_PAGE_BYTES } from "../place/limits.ts";
import { makeScratch, refusalCode } from "../place/test-support.ts";
import { info } from "../read/info.ts";
import { list } from "./list.ts";

const ALL = { pageSize: 0, page: "", includeHidden: true };

describe("list", () => {
  it("describes what is there, sorted by name, links as links", async () => {
    await using scratch = await makeScratch();
    await scratch.file("d/b.txt", "hello");
    await mkdir(scratch.at("d/a"));
    await symlink("b.txt", scratch.at("d/c"));
    execFileSync("mkfifo", [scratch.at("d/fifo")]);
    await chmod(scratch.at("d/b.txt"), 0o640);
    await utimes(scratch.at("d/b.txt"), 1_000, 2_000.5);
    const { entries, nextPage } = await list(scratch.boundary(), scratch.at("d"), ALL);
    expect(nextPage).toBe("");
    expect(entries.map(({ name, type }) => [name, type])).toEqual([
      ["a", "directory"],
      ["b.txt", "file"],
      ["c", "symlink"],
      ["fifo", "other"],
    ]);
    expect(entries[1]).toMatchObject({
      path: scratch.at("d/b.txt"),
      size: 5n,
      mode: 0o640,
      mtimeMs: 2_000_500,
      uid: process.getuid?.(),
      gid: process.getgid?.(),
    });
    expect(entries[2]?.linkTarget).toBe("b.txt");
    expect(entries[1]).not.toHaveProperty("linkTarget");
  });

  it("leaves hidden names out unless asked", async () => {
    await using scratch = await makeScratch();
    await scratch.file("d/.hidden");
    await scratch.file("d/seen");
    const { entries } = await list(scratch.boundary(), scratch.at("d"), { ...ALL, includeHidden: false });
    expect(entries.map(({ name }) => name)).toEqual(["seen"]);
  });

  it("goes through all pages: each name once, in order, whatever the page size", async () => {
    await using scratch = await makeScratch();
    const names = Array.from({ length: 57 }, (_, index) => `f${index}`).sort();
    for (const name of names) await scratch.file(`d/${name}`);
    for (const pageSize of [1, 7, 56, 57, 58, 0]) {
      const seen: string[] = [];
      let pages = 0;
      for (let page = "", first = true; first || page !== ""; first = false) {
        const got = await list(scratch.boundary(), scratch.at("d"), { ...ALL, pageSize, page });
        expect(got.entries.length).toBeLessThanOrEqual(pageSize || 1_000);
        seen.push(...got.entries.map(({ name }) => name));
        page = got.nextPage;
        pages++;
      }
      expect(seen).toEqual(names);
      expect(pages).toBe(Math.ceil(57 / (pageSize || 1_000)));
    }
  });

  it("ends a page before it outgrows a message, and goes on after it", async () => {
    await using scratch = await makeScratch();
    // 2,500 links of 4,000 bytes each: 10 MB, in a page that was asked for 10,000 entries.
    await mkdir(scratch.at("d"));
    const target = "x".repeat(4_000);
    for (let index = 0; index < 2_500; index++) {
      await symlink(target, scratch.at("d", String(index).padStart(5, "0")));
    }
    const seen: string[] = [];
    let page = "";
    do {
      const got = await list(scratch.boundary(), scratch.at("d"), { ...ALL, pageSize: 10_000, page });
      const bytes = got.entries.reduce((sum, entry) => sum + (entry.linkTarget?.length ?? 0), 0);
      expect(bytes).toBeLessThan(MAX_PAGE_BYTES);
      seen.push(...got.entries.map(({ name }) => name));
      page = got.nextPage;
    } while (page !== "");
    expect(seen).toEqual(Array.from({ length: 2_500 }, (_, index) => String(index).padStart(5, "0")));
  });

  it("writes the bytes of a name that are not UTF-8, in every page", async () => {
    await using scratch = await makeScratch();
    const raw = Buffer.from([0x61, 0xff, 0xe9]);
    await mkdir(scratch.at("d"));
    await writeFile(Buffer.concat([Buffer.from(`${scratch.at("d")}/`), raw]), "x");
    await scratch.file("d/aé");
    await scratch.file("d/z");
    const first = await list(scratch.boundary(), scratch.at("d"), { ...ALL, pageSize: 2 });
    expect(first.entries.map(({ name }) => name)).toEqual(["aé", "a\\xFF\\xE9"]);
    expect(first.entries[1]).toMatchObject({ size: 1n, path: scratch.at("d/a\\xFF\\xE9") });
    const second = await list(scratch.boundary(), scratch.at("d"), {
      ...ALL,
      pageSize: 2,
      page: first.nextPage,
    });
    expect(second.entries.map(({ name }) => name)).toEqual(["z"]);
  });

  it("follows a link to a directory, and gives paths as they were asked for", async () => {
    await using scratch = await makeScratch();
    await scratch.file("real/x");
    await symlink("real", scratch.at("link"));
    const { entries } = await list(scratch.boundary(), `${scratch.at("link")}/`, ALL);
    expect(entries.map(({ path }) => path)).toEqual([scratch.at("link/x")]);
  });

  it("expands ~ and lists /", async () => {
    await using scratch = await makeScratch();
    await scratch.file("home/x");
    const { entries } = await list(scratch.boundary(), "~", { ...ALL, includeHidden: false });
    expect(entries.map(({ path }) => path)).toEqual([scratch.at("home/x")]);
    const root = await list(scratch.boundary(), "/", ALL);
    expect(root.entries.map(({ path }) => path)).toContain("/proc");
  });

  it("says what is wrong with a path or a page", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f");
    const boundary = scratch.boundary();
    expect(await refusalCode(list(boundary, file, ALL))).toBe("NotADirectory");
    expect(await refusalCode(list(boundary, `${file}/x`, ALL))).toBe("NotADirectory");
    expect(await refusalCode(list(boundary, scratch.at("none"), ALL))).toBe("NotFound");
    expect(await refusalCode(list(boundary, scratch.dir, { ...ALL, page: "!" }))).toBe("InvalidArgument");
    expect(await refusalCode(list(boundary, `/${"n".repeat(300)}`, ALL))).toBe("InvalidArgument");
    await symlink("loop", scratch.at("loop"));
    expect(await refusalCode(list(boundary, scratch.at("loop"), ALL))).toBe("InvalidArgument");
  });
});

describe("info", () => {
  it("describes a file, a link itself, and /", async () => {
    await using scratch = await makeScratch();
    await scratch.file("f", "12345");
    await symlink("nowhere", scratch.at("l"));
    const boundary = scratch.boundary();
    expect(await info(boundary, scratch.at("f"))).toMatchObject({ name: "f", type: "file", size: 5n });
    expect(await info(boundary, scratch.at("l"))).toMatchObject({ type: "symlink", linkTarget: "nowhere" });
    expect(await info(boundary, "/")).toMatchObject({ name: "/", path: "/", type: "directory" });
    expect(await info(boundary, "/dev/null")).toMatchObject({ type: "other" });
  });

  it("describes what a path with .. means by its text, and says the path when there is nothing", async () => {
    await using scratch = await makeScratch();
    await scratch.file("f");
    const asked = `${scratch.at("nowhere")}/../f`;
    expect((await info(scratch.boundary(), asked)).path).toBe(posix.normalize(asked));
    await expect(info(scratch.boundary(), scratch.at("gone"))).rejects.toMatchObject({
      code: "NotFound",
      message: expect.stringContaining(scratch.at("gone")),
    });
  });
});
