import { chmod, readFile, stat, symlink, truncate } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_EDIT_BYTES } from "../place/limits.ts";
import { leftovers, makeScratch, NEVER, refusal, refusalCode, type Scratch } from "../place/test-support.ts";
import { hashOf } from "../read/content-hash.ts";
import { type EditOptions, edit } from "./edit.ts";

type TextEdit = { old: string; new: string; all?: boolean; ifMatch?: Uint8Array };

function run(scratch: Scratch, path: string, { old, new: substitute, ...rest }: TextEdit) {
  const options: EditOptions = {
    all: false,
    ...rest,
    old: Buffer.from(old),
    new: Buffer.from(substitute),
  };
  return edit(scratch.boundary(), path, options, NEVER);
}

describe("edit", () => {
  it("several at once with a text that repeats itself take no longer than others of that size", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", "a".repeat(1024 * 1024));
    const timed = async (old: string): Promise<number> => {
      const begin = performance.now();
      const edits = Array.from({ length: 4 }, () => refusal(run(scratch, file, { old, new: "x" })));
      for (const { message } of await Promise.all(edits)) expect(message).toContain("does not occur");
      return performance.now() - begin;
    };
    const harmless = await timed(`b${"c".repeat(24_575)}`);
    // Some thousand times as long, were it as many steps as both have bytes, multiplied.
    expect((await timed(`ab${"a".repeat(24_574)}`)) / harmless).toBeLessThan(100);
  });

  it("replaces the one match, and keeps mode and everything around it", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", "port = 80\r\nhost = a\r\n");
    await chmod(file, 0o640);
    const { entry, replacements } = await run(scratch, file, { old: "80\r\n", new: "8080\r\n" });
    const after = "port = 8080\r\nhost = a\r\n";
    expect(await readFile(file, "utf8")).toBe(after);
    expect([replacements, entry.mode, entry.sha256]).toEqual([1, 0o640, hashOf(Buffer.from(after))]);
    expect(await leftovers(scratch.dir)).toEqual([]);
  });

  it.each([
    ["nothing matches", "absent", /does not occur/],
    ["several match", "a", /occurs 3 times/],
  ])("changes nothing when %s, and says so", async (_, old, message) => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", "a b a b a");
    const before = await stat(file, { bigint: true });
    const error = await refusal(run(scratch, file, { old, new: "x" }));
    expect([error.code, error.message]).toEqual(["InvalidArgument", expect.stringMatching(message)]);
    const after = await stat(file, { bigint: true });
    expect([after.ino, after.mtimeNs, after.ctimeNs]).toEqual([before.ino, before.mtimeNs, before.ctimeNs]);
    expect(await readFile(file, "utf8")).toBe("a b a b a");
  });

  it("with all replaces what splitting at the text would, whatever the bytes", async () => {
    await using scratch = await makeScratch();
    const text = fc.string({ unit: fc.constantFrom("a", "b", "é", "\n"), maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(
        text,
        text.filter((old) => old !== ""),
        text,
        async (content, old, substitute) => {
          const file = await scratch.file("f", content);
          const parts = content.split(old);
          const edited = run(scratch, file, { old, new: substitute, all: true });
          if (parts.length === 1) expect(await refusalCode(edited)).toBe("InvalidArgument");
          else expect((await edited).replacements).toBe(parts.length - 1);
          expect(await readFile(file, "utf8")).toBe(parts.join(substitute));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("is guarded by a hash", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", "one two");
    const other = run(scratch, file, { old: "one", new: "1", ifMatch: hashOf(Buffer.from("else")) });
    expect(await refusalCode(other)).toBe("FileChanged");
    const short = run(scratch, file, { old: "one", new: "1", ifMatch: Buffer.alloc(31) });
    expect(await refusalCode(short)).toBe("InvalidArgument");
    await run(scratch, file, { old: "one", new: "1", ifMatch: hashOf(Buffer.from("one two")) });
    expect(await readFile(file, "utf8")).toBe("1 two");
  });

  it("many at once: none overwrites another; who came too late is told", async () => {
    await using scratch = await makeScratch();
    const marks = Array.from({ length: 24 }, (_, index) => `<${index}>`);
    const file = await scratch.file("f", marks.join(""));
    let done: string[] = [];
    const left = new Set(marks);
    while (left.size > 0) {
      const results = await Promise.allSettled(
        [...left].map(async (mark) => {
          await run(scratch, file, { old: mark, new: "." });
          return mark;
        }),
      );
      for (const result of results) {
        if (result.status === "fulfilled") left.delete(result.value);
        else expect(result.reason).toMatchObject({ code: "FileChanged" });
      }
      done = marks.filter((mark) => !left.has(mark));
      const expected = marks.map((mark) => (left.has(mark) ? mark : ".")).join("");
      expect(await readFile(file, "utf8")).toBe(expected);
    }
    expect(done).toHaveLength(24);
    expect(await leftovers(scratch.dir)).toEqual([]);
  });

  it("edits the target of a link, and refuses what is no small file", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", "old");
    await symlink("f", scratch.at("link"));
    await run(scratch, scratch.at("link"), { old: "old", new: "new" });
    expect(await readFile(file, "utf8")).toBe("new");
    expect(await refusalCode(run(scratch, file, { old: "", new: "x" }))).toBe("InvalidArgument");
    expect(await refusalCode(run(scratch, scratch.dir, { old: "a", new: "x" }))).toBe("IsADirectory");
    expect(await refusalCode(run(scratch, "/dev/zero", { old: "a", new: "x" }))).toBe("NotAFile");
    expect(await refusalCode(run(scratch, scratch.at("gone"), { old: "a", new: "x" }))).toBe("NotFound");
    await truncate(await scratch.file("large"), MAX_EDIT_BYTES + 1);
    expect(await refusalCode(run(scratch, scratch.at("large"), { old: "l", new: "x" }))).toBe(
      "LimitExceeded",
    );
    await truncate(await scratch.file("grows"), MAX_EDIT_BYTES);
    expect(await refusalCode(run(scratch, scratch.at("grows"), { old: "g", new: "xx" }))).toBe(
      "LimitExceeded",
    );
  });
});

describe("an edit goes by the file's own line ends, and keeps them", () => {
  it.each<[string, content: string, TextEdit, after: string, replacements: number]>([
    ["CRLF", "a\r\nb\r\nc\r\n", { old: "a\nb\n", new: "a\nx\ny\n" }, "a\r\nx\r\ny\r\nc\r\n", 1],
    ["CRLF, a text within a line", "a\r\nb\r\n", { old: "b", new: "b1\nb2" }, "a\r\nb1\r\nb2\r\n", 1],
    ["CRLF, at the end without one", "a\r\nb", { old: "b", new: "b\nc" }, "a\r\nb\r\nc", 1],
    ["CRLF, just up to the end of a line", "a\r\nb\r\n", { old: "a\n", new: "" }, "b\r\n", 1],
    ["LF, by CRLF", "a\nb\nc\n", { old: "a\r\nb", new: "x\r\ny\r\nz" }, "x\ny\nz\nc\n", 1],
    ["mixed: each keeps its own", "a\nb\r\nc\n", { old: "a\nb\nc", new: "A\nB\nC" }, "A\nB\r\nC\n", 1],
    [
      "mixed: all are found",
      "x\ny\n-\r\nx\r\ny\r\n",
      { old: "x\ny", new: "z\nz", all: true },
      "z\nz\n-\r\nz\r\nz\r\n",
      2,
    ],
    ["CR alone, as on old Macs", "a\rb\rc\r", { old: "a\nb", new: "x\ny\nz" }, "x\ry\rz\rc\r", 1],
    ["a mark at the beginning", "\ufeffa\r\nb\r\n", { old: "a\nb", new: "c\nd" }, "\ufeffc\r\nd\r\n", 1],
    ["no line end in the file: what is given", "a", { old: "a", new: "b\r\nc" }, "b\r\nc", 1],
    [
      "nothing but line ends is to be changed",
      "a\r\nb\r\n",
      { old: "\r\n", new: "\n", all: true },
      "a\nb\n",
      2,
    ],
    ["the other way", "a\nb\n", { old: "\n", new: "\r\n", all: true }, "a\r\nb\r\n", 2],
    ["CR alone is a byte", "a\rb\r\nc\n", { old: "a\rb", new: "d" }, "d\r\nc\n", 1],
    ["CR is taken away", "a\r\nb\r\n", { old: "\r", new: "", all: true }, "a\nb\n", 2],
  ])("%s", async (_, content, options, after, replacements) => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", content);
    expect((await run(scratch, file, options)).replacements).toBe(replacements);
    expect(await readFile(file, "utf8")).toBe(after);
  });

  it("two matches are two, whatever ends their lines", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", "x\ny\n-\r\nx\r\ny\r\n");
    expect((await refusal(run(scratch, file, { old: "x\ny", new: "z" }))).message).toContain(
      "occurs 2 times",
    );
  });

  it("nothing but what matches is changed, whatever the bytes", async () => {
    await using scratch = await makeScratch();
    const text = fc.string({ unit: fc.constantFrom("a", "b", "\r\n", "\n"), maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        text,
        text.filter((old) => old !== ""),
        async (content, old) => {
          const file = await scratch.file("f", content);
          const plain = (each: string): string => each.replaceAll("\r\n", "\n");
          const parts = plain(content).split(plain(old));
          const edited = run(scratch, file, { old, new: "<>", all: true });
          if (parts.length === 1) expect(await refusalCode(edited)).toBe("InvalidArgument");
          else expect((await edited).replacements).toBe(parts.length - 1);
          const after = await readFile(file, "utf8");
          expect(plain(after)).toBe(parts.join("<>"));
          // Each line that was not touched ends as it did.
          const ends = (each: string): number => each.split("\r\n").length - 1;
          expect(ends(after)).toBeLessThanOrEqual(ends(content));
          if (!content.includes("\n\r\n") && !old.includes("\n")) expect(ends(after)).toBe(ends(content));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("an edit that finds nothing says where it nearly does, and how that differs", () => {
  const content = "one\n\tif (a) {\n\t\tb\u00a0= \u201cc\u201d;  \n\t}\ncafe\u0301\nLast\n";
  it.each([
    ["a tab for spaces", "    if (a) {", "line 2, .*column 1 has a tab where the text has a space"],
    ["a space at the end", "\u201cc\u201d;\n\t}", "line 3, .*it goes on with a space"],
    [
      "a no-break space",
      "b = \u201cc\u201d",
      "line 3, .*has a no-break space \\(U\\+00A0\\) where the text has a space",
    ],
    ["quotes", '= "c"', "line 3, .*U\\+201C\\) where the text has"],
    ["another Unicode form", "caf\u00e9", "line 5, .*another Unicode form"],
    ["upper case", "last", 'line 6, "Last": column 1 has "L" where the text has "l"'],
    [
      "another line among them",
      "\tif (a) {\n\t\td\n\t}",
      'Line 2 is like line 1 of it; but line 3 is .*, where the text has "\\\\t\\\\td"',
    ],
  ])("%s", async (_, old, message) => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", content);
    const error = await refusal(run(scratch, file, { old, new: "x" }));
    expect(error.message).toMatch(new RegExp(`does not occur in .*\\. .*${message}`));
    expect(await readFile(file, "utf8")).toBe(content);
  });

  it("nothing where nothing is alike", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", content);
    expect((await refusal(run(scratch, file, { old: "absent", new: "x" }))).message).toMatch(/f"\.$/);
  });
});
