import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { refuseStrayEntries } from "./tree.ts";
import type { TreeEntry } from "./types.ts";

const entry = (path: string, type: TreeEntry["type"]): TreeEntry => ({
  path,
  type,
  size: 0,
  mode: 0o755,
  mtimeMs: 0,
});
const refused = { code: "InvalidArgument" };

describe("a tree's list", () => {
  it("is taken where each directory comes before what lies in it", () => {
    refuseStrayEntries([entry("a", "directory"), entry("a/b", "directory"), entry("a/b/c", "file")]);
  });

  it.each([
    ["an absolute path", [entry("/etc/passwd", "file")]],
    ["an absolute path, of one part", [entry("/a", "file")]],
    ["dots", [entry("..", "directory"), entry("../x", "file")]],
    ["an empty name", [entry("", "file")]],
    ["a NUL", [entry("a\0b", "file")]],
    ["a file behind a link", [entry("a", "symlink"), entry("a/passwd", "file")]],
    ["a link that takes a directory's place", [entry("a", "directory"), entry("a", "symlink")]],
    ["a file in a directory that was not listed", [entry("a/b", "file")]],
  ] as const)("is refused for %s", (_what, entries) => {
    expect(() => refuseStrayEntries(entries)).toThrow(expect.objectContaining(refused));
  });

  it("never leads outside of its root", () => {
    const name = fc.constantFrom("a", "b", "..", ".", "", "a/b", "/a", "a/..");
    const type = fc.constantFrom("file", "directory", "symlink");
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.array(name, { minLength: 1, maxLength: 3 }), type)), (list) => {
        const entries = list.map(([names, type]) => entry(names.join("/"), type));
        try {
          refuseStrayEntries(entries);
        } catch {
          return true;
        }
        const links = new Set(entries.filter(({ type }) => type !== "directory").map(({ path }) => path));
        return entries.every(({ path }) => {
          const parts = path.split("/");
          const isNamed = parts.every((part) => part !== "" && part !== "." && part !== "..");
          return isNamed && parts.slice(1).every((_, at) => !links.has(parts.slice(0, at + 1).join("/")));
        });
      }),
    );
  });
});
