import { matchesGlob } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Globs } from "./glob.ts";

const matches = (glob: string, path: string): boolean => new Globs([glob]).match(path.split("/"));

describe("globs", () => {
  it.each([
    ["*.ts", "a.ts", true],
    ["*.ts", "deep/in/a.ts", true],
    ["*.ts", "a.tsx", false],
    ["a?c", "abc", true],
    ["a?c", "aéc", true],
    ["a?c", "a🎉c", true],
    ["[a-c]x", "bx", true],
    ["[!a-c]x", "bx", false],
    ["[]]", "]", true],
    ["*.{ts,js}", "b.js", true],
    ["{a,b{c,d}}e", "bde", true],
    ["\\*", "*", true],
    ["\\*", "a", false],
    ["src/*.ts", "src/a.ts", true],
    ["src/*.ts", "src/b/a.ts", false],
    ["src/*.ts", "x/src/a.ts", false],
    ["src/**/*.ts", "src/a.ts", true],
    ["src/**/*.ts", "src/b/c/a.ts", true],
    ["**/b/**", "a/b/c", true],
    ["/src", "src", true],
    ["/src", "a/src", false],
    ["*", ".hidden", true],
  ])("%s and %s: %s", (glob, path, expected) => {
    expect(matches(glob, path)).toBe(expected);
  });

  it("says the same as Node where both mean the same", () => {
    const part = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), minLength: 1, maxLength: 5 });
    const glob = fc
      .array(
        fc.oneof(
          part.filter((each) => !each.includes("**")),
          fc.constant("**"),
        ),
        { minLength: 2, maxLength: 5 },
      )
      // A last ** is a matter of taste: Node wants something there, we don't.
      .filter((parts) => parts.at(-1) !== "**")
      .map((parts) => parts.join("/"));
    const name = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 });
    const path = fc.array(name, { minLength: 1, maxLength: 5 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(glob, path, (pattern, file) => matches(pattern, file) === matchesGlob(file, pattern)),
      { numRuns: 3_000 },
    );
  });

  it("can't be made to run away", () => {
    const name = "a".repeat(255);
    const begun = process.cpuUsage();
    for (let round = 0; round < 100; round++) expect(matches(`${"*a".repeat(120)}b`, name)).toBe(false);
    const deep = Array.from({ length: 200 }, () => "a").join("/");
    for (let round = 0; round < 100; round++) expect(matches(`${"**/a/".repeat(40)}b`, deep)).toBe(false);
    // A backtracking matcher would need longer than there is time.
    expect(process.cpuUsage(begun).user).toBeLessThan(30_000_000);
  });

  it.each(["", "[a", "a\\", "x".repeat(257), "{a,b}".repeat(7)])("refuses %j", (glob) => {
    expect(() => new Globs([glob])).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });

  it("refuses too many", () => {
    expect(() => new Globs(Array.from({ length: 17 }, () => "a"))).toThrow(/16 is the limit/);
  });
});
