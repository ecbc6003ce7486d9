import { MAX_PATH_BYTES } from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expandPath, isWithin, selfAndAncestors, shown } from "./path.ts";

describe("expandPath", () => {
  it.each([
    ["/", "/"],
    ["//", "/"],
    ["//a//b/", "/a/b"],
    ["/a/./b/../c", "/a/c"],
    ["/../..", "/"],
    ["~", "/home/u"],
    ["~/", "/home/u"],
    ["~/x/..", "/home/u"],
    ["~/../v", "/home/v"],
    ["/a/~", "/a/~"],
    ["/with space/ü\n", "/with space/ü\n"],
  ])("%j is %j", (path, expected) => {
    expect(expandPath(path, "/home/u")).toBe(expected);
  });

  it.each([
    "",
    "a",
    "./a",
    "~bob/x",
    "~bob",
    "../etc",
    "/a\0b",
    `/${"x".repeat(MAX_PATH_BYTES)}`,
    "/a".repeat(257),
  ])("refuses %j", (path) => {
    expect(() => expandPath(path, "/home/u")).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });

  it("gives a path without any part that a kernel would interpret, and leaves it alone the second time", () => {
    const part = fc.constantFrom("..", ".", "", "a", "~", "b.c", "...");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const path = expandPath(`/${parts.join("/")}`, "/home/u");
        expect(path).toMatch(/^\//);
        expect(path.split("/").slice(1)).not.toContain("..");
        expect(path === "/" || !/\/$|\/\/|\/\.(\/|$)/.test(path)).toBe(true);
        expect(expandPath(path, "/home/u")).toBe(path);
      }),
    );
  });
});

it("knows what lies within a directory by whole names", () => {
  expect(isWithin("/a/b", "/a")).toBe(true);
  expect(isWithin("/a", "/a")).toBe(true);
  expect(isWithin("/ab", "/a")).toBe(false);
  expect(isWithin("/", "/a")).toBe(false);
  expect(isWithin("/a", "/")).toBe(true);
});

it("lists a path and all above it", () => {
  expect(selfAndAncestors("/a/b")).toEqual(["/a/b", "/a", "/"]);
  expect(selfAndAncestors("/")).toEqual(["/"]);
});

it("shows a path on one line and shortened", () => {
  expect(shown("/a\nb")).toBe('"/a\\nb"');
  expect(shown(`/${"x".repeat(5_000)}`).length).toBeLessThan(600);
});
