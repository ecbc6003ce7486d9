import { CmdopError } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { matchGlob, type WalkDirectory } from "./glob.ts";
import type { FileInfo } from "./types.ts";

/** Makes a machine with these directories, and the list of walks that it was asked for. */
function machine(directories: Record<string, readonly string[]>): { walk: WalkDirectory; asked: string[] } {
  const asked: string[] = [];
  const info = (name: string): FileInfo => ({
    name,
    path: "",
    type: "file",
    size: 0,
    mtimeMs: 0,
    mode: 0,
    uid: 0,
    gid: 0,
  });
  return {
    asked,
    async *walk(path, { name }) {
      asked.push(`${path} ${name}`);
      const names = directories[path];
      if (names === undefined) throw new CmdopError("NotADirectory", "none");
      if (name !== "/") yield* names.map(info);
    },
  };
}

describe("a glob", () => {
  it.each([
    ["~/a", "~/a"],
    ["/a\\b", "/a\\b"],
    ["/a\\*b\\[1]", "/a*b[1]"],
    ["/a[1", "/a[1"],
    ["/{a,b}", "/{a,b}"],
  ])("%s without magic asks for nothing, and is %s", async (glob, path) => {
    const { walk, asked } = machine({});
    expect([await matchGlob(walk, glob), asked]).toEqual([[path], []]);
  });

  it("is matched level by level, hidden names and what is no directory aside", async () => {
    const { walk, asked } = machine({
      "~/logs": ["b", "a", ".c"],
      "~/logs/a": ["x.log", ".y"],
      "/": ["etc"],
    });
    expect(await matchGlob(walk, "~/logs/*")).toEqual(["~/logs/a", "~/logs/b"]);
    expect(await matchGlob(walk, "~/logs/*/*.log")).toEqual(["~/logs/a/x.log"]);
    expect(await matchGlob(walk, "~/logs/.*")).toEqual(["~/logs/.c", "~/logs/a", "~/logs/b"]);
    expect(await matchGlob(walk, "~/logs/*/")).toEqual(["~/logs/a/"]);
    expect(await matchGlob(walk, "/e*")).toEqual(["/etc"]);
    expect(await matchGlob(walk, "/none/*")).toEqual([]);
    expect(asked).toContain("/ e*");
  });

  it.each([
    ["a{b,c}*", "a\\{b,c\\}*"],
    ["a\\*b*", "a\\*b*"],
    ["a\\b*", "a\\\\b*"],
    ["[!a-c]?", "[!a-c]?"],
    ["*[x", "*\\[x"],
  ])("%s is for the machine %s", async (glob, said) => {
    const { walk, asked } = machine({ "/d": [] });
    await matchGlob(walk, `/d/${glob}`);
    expect(asked).toEqual([`/d ${said}`]);
  });

  it("says what kept it from looking, where nothing was found", async () => {
    const denied = new CmdopError("AccessDenied", "no");
    const walk: WalkDirectory = () => ({
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(denied) }),
    });
    await expect(matchGlob(walk, "/closed/*")).rejects.toBe(denied);
  });
});
