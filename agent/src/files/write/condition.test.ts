import { appendFile, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { leftovers, makeScratch, refusalCode, type Scratch, snapshot } from "../place/test-support.ts";
import { hashOf } from "../read/content-hash.ts";
import { info } from "../read/info.ts";
import { appendContent } from "./append.ts";
import { Replacement, type WriteOptions } from "./replacement.ts";
import { receiveContent } from "./upload.ts";
import { writeContent } from "./write.ts";

const PLAIN = { parents: false };
const hash = (text: string): Buffer => hashOf(Buffer.from(text));

function write(scratch: Scratch, path: string, content: string, options: Partial<WriteOptions> = {}) {
  return writeContent(scratch.boundary(), path, Buffer.from(content), { ...PLAIN, ...options });
}

/** A write as a stream, as an upload sends it. */
async function stream(scratch: Scratch, path: string, content: string, options: Partial<WriteOptions> = {}) {
  const data = Buffer.from(content);
  const pieces = async function* () {
    yield { data, finish: { size: BigInt(data.length), sha256: hashOf(data) } };
  };
  const { entry } = await receiveContent(scratch.boundary(), path, pieces(), { ...PLAIN, ...options });
  return entry ?? expect.fail("the upload was not committed");
}

function append(
  scratch: Scratch,
  path: string,
  content: string,
  options: { ifSize?: bigint; mode?: number } = {},
) {
  return appendContent(scratch.boundary(), path, Buffer.from(content), { ...PLAIN, ...options });
}

/** How many of some promises were fulfilled; the others must have been refused with one code. */
async function winners(promises: readonly Promise<unknown>[], code: string): Promise<number> {
  const results = await Promise.allSettled(promises);
  for (const result of results) {
    if (result.status === "rejected") expect(result.reason).toMatchObject({ code });
  }
  return results.filter(({ status }) => status === "fulfilled").length;
}

describe.each([
  ["write", write],
  ["stream", stream],
])("a conditional %s", (_, put) => {
  it("with ifMatch replaces just the content that was meant", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("d/f", "old");
    const { sha256 } = await put(scratch, file, "new", { ifMatch: hash("old") });
    expect(sha256).toEqual(hash("new"));
    expect(await refusalCode(put(scratch, file, "newer", { ifMatch: hash("old") }))).toBe("FileChanged");
    expect(await refusalCode(put(scratch, scratch.at("d/none"), "x", { ifMatch: hash("") }))).toBe(
      "FileChanged",
    );
    expect(await refusalCode(put(scratch, file, "x", { ifMatch: Buffer.alloc(16) }))).toBe("InvalidArgument");
    const parents = { ifMatch: hash("old"), parents: true };
    expect(await refusalCode(put(scratch, scratch.at("d/new/f"), "x", parents))).toBe("NotFound");
    const both = put(scratch, file, "x", { ifMatch: hash("new"), ifAbsent: true });
    expect(await refusalCode(both)).toBe("InvalidArgument");
    expect(await snapshot(scratch.at("d"))).toEqual({ f: "new" });
  });

  it("with ifAbsent replaces nothing, not even a link that leads nowhere", async () => {
    await using scratch = await makeScratch();
    await put(scratch, scratch.at("d/f"), "first", { ifAbsent: true, parents: true });
    await symlink("nowhere", scratch.at("d/link"));
    for (const name of ["f", "link"]) {
      const again = put(scratch, scratch.at("d", name), "second", { ifAbsent: true });
      expect(await refusalCode(again)).toBe("AlreadyExists");
    }
    expect(await snapshot(scratch.at("d"))).toEqual({ f: "first", link: "-> nowhere" });
  });

  it("of writers with one condition exactly one wins, round after round", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("d/f", "round 0");
    await symlink("d", scratch.at("other-way"));
    for (let round = 1; round <= 20; round++) {
      const ifMatch = hash(await readFile(file, "utf8"));
      const racers = Array.from({ length: 6 }, (_, index) =>
        put(scratch, scratch.at(index % 2 === 0 ? "d/f" : "other-way/f"), `round ${round}, ${index}`, {
          ifMatch,
        }),
      );
      expect(await winners(racers, "FileChanged")).toBe(1);
      const makers = Array.from({ length: 6 }, (_, index) =>
        put(scratch, scratch.at(`d/new-${round}`), `maker ${index}`, { ifAbsent: true }),
      );
      expect(await winners(makers, "AlreadyExists")).toBe(1);
    }
    expect(await leftovers(scratch.dir)).toEqual([]);
  });
});

describe("a replacement on its way", () => {
  it.each<[string, (file: string) => Promise<void>]>([
    ["writes into the file", (file) => appendFile(file, "!")],
    [
      "replaces the file by one of the same size",
      async (file) => {
        await writeFile(`${file}.next`, "0ld");
        await rename(`${file}.next`, file);
      },
    ],
  ])("is refused at its commit when somebody else %s meanwhile", async (_, meanwhile) => {
    await using scratch = await makeScratch();
    const file = await scratch.file("d/f", "old");
    await using replacement = await Replacement.open(scratch.boundary(), file, {
      ...PLAIN,
      ifMatch: hash("old"),
    });
    await replacement.write(Buffer.from("new"));
    await meanwhile(file);
    const theirs = await readFile(file, "utf8");
    expect(await refusalCode(replacement.commit())).toBe("FileChanged");
    expect(await readFile(file, "utf8")).toBe(theirs);
  });
});

describe("append", () => {
  it("adds to the end, makes a new file, and keeps the file itself", async () => {
    await using scratch = await makeScratch();
    const file = scratch.at("f");
    expect(await append(scratch, file, "one", { mode: 0o600 })).toMatchObject({ size: 3n, mode: 0o600 });
    await append(scratch, file, "two", { mode: 0o666 });
    expect(await readFile(file, "utf8")).toBe("onetwo");
    await symlink("f", scratch.at("link"));
    expect((await append(scratch, scratch.at("link"), "!")).path).toBe(file);
    expect((await info(scratch.boundary(), file)).mode).toBe(0o600);
    for (const [path, code] of [
      [scratch.dir, "IsADirectory"],
      ["/dev/null", "NotAFile"],
      [scratch.at("no/f"), "NotFound"],
      [scratch.at("home/.cmdop/x"), "PolicyDenied"],
    ] as const) {
      expect(await refusalCode(append(scratch, path, "x"))).toBe(code);
    }
  });

  it("with ifSize happens once, however often it is sent, and one of many wins", async () => {
    await using scratch = await makeScratch();
    const file = scratch.at("f");
    await append(scratch, file, "abc", { ifSize: 0n });
    expect(await refusalCode(append(scratch, file, "abc", { ifSize: 0n }))).toBe("FileChanged");
    expect(await refusalCode(append(scratch, scratch.at("none"), "abc", { ifSize: 3n }))).toBe("FileChanged");
    expect(await snapshot(scratch.dir)).not.toHaveProperty("none");
    const racers = Array.from({ length: 8 }, (_, index) => append(scratch, file, `${index}`, { ifSize: 3n }));
    expect(await winners(racers, "FileChanged")).toBe(1);
    expect((await readFile(file, "utf8")).length).toBe(4);
  });

  it("many at once: each whole, none lost", async () => {
    await using scratch = await makeScratch();
    const lines = Array.from({ length: 20 }, (_, index) => String(index).padStart(3, "0").repeat(5_000));
    await Promise.all(lines.map((line) => append(scratch, scratch.at("f"), `${line}\n`)));
    const found = (await readFile(scratch.at("f"), "utf8")).trimEnd().split("\n");
    expect(found.sort()).toEqual(lines);
  });
});

describe("info", () => {
  it("gives a file's hash when asked, and only a file's", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", "content");
    await symlink("f", scratch.at("link"));
    const boundary = scratch.boundary();
    expect((await info(boundary, file, { hash: true })).sha256).toEqual(hash("content"));
    expect(await info(boundary, file)).not.toHaveProperty("sha256");
    for (const path of [scratch.dir, scratch.at("link"), "/dev/zero"]) {
      expect(await info(boundary, path, { hash: true })).not.toHaveProperty("sha256");
    }
  });
});
