import { mkdir, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { canonicalPath, pathBytes } from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { info } from "../read/info.ts";
import { readContent } from "../read/read.ts";
import { search } from "../search/search.ts";
import { copy } from "../tree/copy.ts";
import { list } from "../tree/list.ts";
import { makeDirectory } from "../tree/mkdir.ts";
import { move } from "../tree/move.ts";
import { remove } from "../tree/remove.ts";
import { makeSymlink } from "../tree/symlink.ts";
import { walk } from "../tree/walk.ts";
import { appendContent } from "../write/append.ts";
import { edit } from "../write/edit.ts";
import { writeContent } from "../write/write.ts";
import type { Boundary } from "./boundary.ts";
import { ALL, COPY, EDIT, PARENTS, SEARCH, TREE, upload } from "./confinement-support.ts";
import { expandPath, isWithin } from "./path.ts";
import { collected, makeScratch, NEVER, refusalCode, type Scratch, STATE_SECRET } from "./test-support.ts";

const WHOLE = { offset: 0n };

/** The bytes of a path in a scratch directory; the rest a character a byte. */
function raw(scratch: Scratch, name: string): Buffer {
  return Buffer.concat([Buffer.from(`${scratch.dir}/`), Buffer.from(name, "latin1")]);
}

async function names(directory: Buffer | string): Promise<string[]> {
  return (await readdir(directory, { encoding: "latin1" })).sort();
}

/** A directory and a file in it, neither of whose names is UTF-8. */
async function withByteNames(scratch: Scratch): Promise<{ boundary: Boundary; dir: string; file: string }> {
  await mkdir(raw(scratch, "d\xe9"));
  await writeFile(raw(scratch, "d\xe9/caf\xe9.txt"), "olé\n");
  return { boundary: scratch.boundary(), dir: scratch.at("d\\xE9"), file: scratch.at("d\\xE9/caf\\xE9.txt") };
}

describe("a name that is not UTF-8", () => {
  it("is listed, walked and found by a text that every call takes", async () => {
    await using scratch = await makeScratch();
    const { boundary, dir, file } = await withByteNames(scratch);
    const { entries } = await list(boundary, dir, ALL);
    expect(entries.map(({ name, path }) => [name, path])).toEqual([["caf\\xE9.txt", file]]);
    const walked = await collected(
      walk(boundary, scratch.dir, { ...TREE, names: ["d*", "caf*"], exclude: ["home"] }, NEVER),
    );
    expect(walked.map(({ path }) => path).sort()).toEqual([dir, file]);
    for (const glob of ["caf?.txt", "caf\\xE9.txt", "*[\\xE0-\\xEF].txt", "d\\xE9/*"]) {
      const found = await collected(
        walk(boundary, scratch.dir, { ...TREE, names: [glob], exclude: ["home"] }, NEVER),
      );
      expect([glob, ...found.map(({ path }) => path)]).toEqual([glob, file]);
    }
    const matches = await collected(search(boundary, dir, { ...SEARCH, content: "ol" }, NEVER));
    expect(matches[0]).toMatchObject({ kind: "match", path: file });
  });

  it("is read, described, edited, appended to and written", async () => {
    await using scratch = await makeScratch();
    const { boundary, dir, file } = await withByteNames(scratch);
    const content = async () => Buffer.from((await readContent(boundary, file, WHOLE)).content).toString();
    expect(await content()).toBe("olé\n");
    expect(await info(boundary, file, { hash: true })).toMatchObject({ name: "caf\\xE9.txt", path: file });
    await edit(boundary, file, { ...EDIT, old: Buffer.from("ol"), new: Buffer.from("Ol") }, NEVER);
    await appendContent(boundary, file, Buffer.from("more\n"), { parents: false });
    expect(await content()).toBe("Olé\nmore\n");
    await writeContent(boundary, file, Buffer.from("written"), { parents: false });
    await upload(boundary, `${dir}/up\\xFF`, "uploaded");
    await makeDirectory(boundary, `${dir}/n\\xFE/deep\\xFD`, PARENTS);
    expect(await readFile(raw(scratch, "d\xe9/caf\xe9.txt"), "utf8")).toBe("written");
    expect(await names(raw(scratch, "d\xe9"))).toEqual(["caf\xe9.txt", "n\xfe", "up\xff"]);
    expect(await names(raw(scratch, "d\xe9/n\xfe"))).toEqual(["deep\xfd"]);
  });

  it("is copied, moved, linked to and deleted, and links that say such bytes are followed", async () => {
    await using scratch = await makeScratch();
    const { boundary, dir, file } = await withByteNames(scratch);
    await copy(boundary, dir, scratch.at("c\\xE9"), COPY, NEVER);
    await move(
      boundary,
      scratch.at("c\\xE9/caf\\xE9.txt"),
      scratch.at("c\\xE9/m\\xFF"),
      { overwrite: false },
      NEVER,
    );
    expect(await names(raw(scratch, "c\xe9"))).toEqual(["m\xff"]);
    const link = await makeSymlink(boundary, scratch.at("link"), "d\\xE9/caf\\xE9.txt", { overwrite: false });
    expect(link.linkTarget).toBe("d\\xE9/caf\\xE9.txt");
    expect(await readlink(scratch.at("link"), { encoding: "latin1" })).toBe("d\xe9/caf\xe9.txt");
    expect(Buffer.from((await readContent(boundary, scratch.at("link"), WHOLE)).content).toString()).toBe(
      "olé\n",
    );
    await remove(boundary, file, { recursive: false }, NEVER);
    await remove(boundary, dir, { recursive: true }, NEVER);
    expect(await names(scratch.dir)).toEqual(["c\xe9", "home", "link"]);
  });

  it("is none of those that look like it: a backslash that is in a name is written so that it can't be taken for an escape", async () => {
    await using scratch = await makeScratch();
    const boundary = scratch.boundary();
    await writeFile(scratch.at("caf\\xE9"), "as it stands");
    await writeFile(raw(scratch, "caf\xe9"), "bytes");
    await writeFile(scratch.at("by\\x2duuid"), "systemd");
    const { entries } = await list(boundary, scratch.dir, ALL);
    const contents = await Promise.all(
      entries
        .filter(({ type }) => type === "file")
        .map(async ({ path, name }) => [
          name,
          Buffer.from((await readContent(boundary, path, WHOLE)).content).toString(),
        ]),
    );
    expect(contents).toEqual([
      ["by\\x2duuid", "systemd"],
      ["caf\\x5CxE9", "as it stands"],
      ["caf\\xE9", "bytes"],
    ]);
  });
});

describe("boundaries judge the bytes", () => {
  it("of a root that is not UTF-8, however it is written", async () => {
    await using scratch = await makeScratch();
    await withByteNames(scratch);
    await scratch.file("dé/outside");
    const boundary = scratch.boundary([expandPath(scratch.at("d\\xe9"), scratch.home)]);
    const read = (name: string) => readContent(boundary, scratch.at(name), WHOLE);
    expect(Buffer.from((await read("d\\xe9/caf\\xE9.txt")).content).toString()).toBe("olé\n");
    for (const outside of [
      "dé/outside",
      "d\\xc3\\xa9/outside",
      "d/x",
      "d\\x5CxE9/caf",
      "d\\xE9/../dé/outside",
    ]) {
      expect(await refusalCode(read(outside))).toBe("PolicyDenied");
    }
    await symlink("../dé/outside", raw(scratch, "d\xe9/out"));
    expect(await refusalCode(read("d\\xE9/out"))).toBe("PolicyDenied");
  });

  it("of the agent's own state, by whatever escapes it is named", async () => {
    await using scratch = await makeScratch();
    const boundary = scratch.boundary();
    const secret = `${scratch.stateDir}/machine.key`;
    for (const tried of [
      secret,
      secret.replace(".cmdop", "\\x2ecmdop"),
      secret.replace("/.cmdop", "\\x2f.cmdop"),
    ]) {
      expect(["PolicyDenied", "NotFound"]).toContain(await refusalCode(readContent(boundary, tried, WHOLE)));
    }
    // By a link of bytes that leads there.
    await symlink(".cmdop", raw(scratch, "home/\xff"));
    expect(await refusalCode(readContent(boundary, "~/\\xFF/machine.key", WHOLE))).toBe("PolicyDenied");
    expect(await readFile(secret, "utf8")).toBe(STATE_SECRET);
  });

  const part = fc.oneof(
    fc.constantFrom(
      "..",
      ".",
      "",
      "a",
      "\\x2e\\x2e",
      "\\xE9",
      "\\xe9",
      "é",
      "\\xC3\\xA9",
      "e\u0301",
      "\\x5CxE9",
      "\\\\xE9",
      "\\xC0\\xAE",
      "\\xc0\\xaf",
      "\\x00",
      "\\x2F",
    ),
    fc.string({ unit: "grapheme", maxLength: 6 }),
  );
  const path = fc
    .array(part, { maxLength: 6 })
    .map((parts) => `/${parts.join("/")}`)
    .filter((each) => !each.includes("\0"));

  it("of whatever a caller writes: one path of bytes, which is what is judged", () => {
    fc.assert(
      fc.property(path, path, (one, other) => {
        const [a, b] = [expandPath(one, "/home"), expandPath(other, "/home")];
        expect(canonicalPath(a)).toBe(a);
        expect(expandPath(a, "/home")).toBe(a);
        const [bytesOfA, bytesOfB] = [pathBytes(a).toString("latin1"), pathBytes(b).toString("latin1")];
        expect(bytesOfA).not.toMatch(/\/(?:\.{0,2}\/|\.{1,2}$)|\0/);
        expect(isWithin(a, b)).toBe(isWithin(bytesOfA, bytesOfB));
      }),
      { numRuns: 500 },
    );
  });
});
