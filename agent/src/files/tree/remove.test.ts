import { chmod, chown, mkdir, symlink, writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { MAX_TREE_DEPTH } from "../place/limits.ts";
import {
  makeScratch,
  mounted,
  NEVER,
  refusal,
  refusalCode,
  run,
  snapshot,
  whyNoMount,
} from "../place/test-support.ts";
import { remove } from "./remove.ts";

const ONE = { recursive: false };
const TREE = { recursive: true };

it("deletes a file, an empty directory, and a link but not what it points at", async () => {
  await using scratch = await makeScratch();
  const boundary = scratch.boundary();
  await scratch.file("kept/f");
  await symlink("kept", scratch.at("link"));
  await mkdir(scratch.at("empty"));
  await remove(boundary, await scratch.file("f"), ONE, NEVER);
  await remove(boundary, scratch.at("empty"), ONE, NEVER);
  await remove(boundary, scratch.at("link"), TREE, NEVER);
  expect(await snapshot(scratch.at("kept"))).toEqual({ f: "kept/f" });
  expect(Object.keys(await snapshot(scratch.dir))).not.toContain("link");
});

it("deletes a whole tree only when asked, and nothing that links in it lead to", async () => {
  await using scratch = await makeScratch();
  const boundary = scratch.boundary();
  await scratch.file("kept/f");
  await scratch.file("tree/a/b/c");
  await scratch.file("tree/d");
  await symlink(scratch.at("kept"), scratch.at("tree/a/out"));
  await writeFile(Buffer.concat([Buffer.from(`${scratch.at("tree")}/`), Buffer.from([0xff])]), "x");
  const error = await refusal(remove(boundary, scratch.at("tree"), ONE, NEVER));
  expect([error.code, error.next]).toEqual(["DirectoryNotEmpty", expect.stringContaining("recursive")]);
  await remove(boundary, scratch.at("tree"), TREE, NEVER);
  expect(await refusalCode(remove(boundary, scratch.at("tree"), TREE, NEVER))).toBe("NotFound");
  expect(await snapshot(scratch.at("kept"))).toEqual({ f: "kept/f" });
});

it("refuses /, the home, the agent's state, and whatever holds them", async () => {
  await using scratch = await makeScratch();
  const boundary = scratch.boundary();
  await symlink(scratch.home, scratch.at("link"));
  // Not recursive outside of the scratch directory: should the refusal ever be missing, nothing is lost.
  for (const path of ["/", "/tmp", "/home/.."]) {
    expect(await refusalCode(remove(boundary, path, ONE, NEVER))).toBe("PolicyDenied");
  }
  const vital = ["~", scratch.home, `${scratch.at("link")}/../home`, scratch.stateDir, scratch.dir];
  for (const path of [...vital, `${scratch.at("link")}/.cmdop`]) {
    expect(await refusalCode(remove(boundary, path, TREE, NEVER))).toBe("PolicyDenied");
  }
  expect(Object.keys(await snapshot(scratch.home))).toEqual([".cmdop", ".cmdop/machine.key"]);
});

it("stops where the caller left, and says so", async () => {
  await using scratch = await makeScratch();
  await scratch.file("tree/f");
  const gone = AbortSignal.abort();
  expect(await refusalCode(remove(scratch.boundary(), scratch.at("tree"), TREE, gone))).toBe("Canceled");
  expect(await snapshot(scratch.at("tree"))).toEqual({ f: "tree/f" });
});

it("refuses a tree that is too deep, before it runs out of descriptors", async () => {
  await using scratch = await makeScratch();
  const deep = Array.from({ length: MAX_TREE_DEPTH + 1 }, () => "d").join("/");
  await mkdir(scratch.at("tree", deep), { recursive: true });
  expect(await refusalCode(remove(scratch.boundary(), scratch.at("tree"), TREE, NEVER))).toBe(
    "LimitExceeded",
  );
  await remove(scratch.boundary(), scratch.at("tree/d"), TREE, NEVER);
});

it("leaves alone what is mounted in a tree", async ({ skip }) => {
  await using scratch = await makeScratch();
  const why = await whyNoMount(scratch);
  skip(why !== undefined, why);
  await scratch.file("data/precious");
  await using _ = await mounted(scratch.at("tree/mnt"), ["--bind", scratch.at("data")]);
  const error = await refusal(remove(scratch.boundary(), scratch.at("tree"), TREE, NEVER));
  expect([error.code, error.next]).toEqual(["AccessDenied", expect.stringContaining("nmount")]);
  expect(await snapshot(scratch.at("data"))).toEqual({ precious: "data/precious" });
});

it("says what the operating system refuses, for the very path", async ({ skip }) => {
  skip(process.getuid?.() !== 0, "only root can act as somebody else");
  await using scratch = await makeScratch();
  await scratch.file("tree/locked/f");
  await run("chown", ["-R", "65534", scratch.dir]);
  await chown(scratch.at("tree/locked"), 0, 0);
  await chmod(scratch.at("tree/locked"), 0o755);
  process.seteuid?.(65534);
  try {
    const error = await refusal(remove(scratch.boundary(), scratch.at("tree"), TREE, NEVER));
    expect(error.code).toBe("AccessDenied");
    expect(error.message).toContain("tree/locked/f");
  } finally {
    process.seteuid?.(0);
  }
});
