import { chmod, stat, symlink } from "node:fs/promises";
import { expect, it } from "vitest";
import { makeScratch, refusalCode } from "../place/test-support.ts";
import { type MkdirOptions, makeDirectory } from "./mkdir.ts";

it("makes one directory, with the mode that was asked for", async () => {
  await using scratch = await makeScratch();
  const boundary = scratch.boundary();
  const entry = await makeDirectory(boundary, scratch.at("a"), { parents: false });
  expect(entry).toMatchObject({ name: "a", path: scratch.at("a"), type: "directory" });
  expect(entry.mode).toBe(0o755 & ~process.umask());
  expect((await makeDirectory(boundary, scratch.at("b"), { parents: false, mode: 0o777 })).mode).toBe(0o777);
  expect(await refusalCode(makeDirectory(boundary, scratch.at("c"), { parents: false, mode: 0o1777 }))).toBe(
    "InvalidArgument",
  );
});

it("makes parents and accepts what exists only when asked", async () => {
  await using scratch = await makeScratch();
  const boundary = scratch.boundary();
  expect(await refusalCode(makeDirectory(boundary, scratch.at("a/b"), { parents: false }))).toBe("NotFound");
  await makeDirectory(boundary, scratch.at("a/b/c"), { parents: true, mode: 0o700 });
  expect((await stat(scratch.at("a/b"))).mode & 0o777).toBe(0o755 & ~process.umask());
  expect((await stat(scratch.at("a/b/c"))).mode & 0o777).toBe(0o700);
  expect(await refusalCode(makeDirectory(boundary, scratch.at("a"), { parents: false }))).toBe(
    "AlreadyExists",
  );
  await makeDirectory(boundary, scratch.at("a/b/c"), { parents: true, mode: 0o755 });
  expect((await stat(scratch.at("a/b/c"))).mode & 0o777).toBe(0o700);
  await symlink("a", scratch.at("link"));
  await makeDirectory(boundary, scratch.at("link"), { parents: true });
});

it("gives mode and time, to a directory that exists where it is told so, and keeps setgid", async () => {
  await using scratch = await makeScratch();
  const at = scratch.at("d");
  const make = (options: Partial<MkdirOptions>) =>
    makeDirectory(scratch.boundary(), at, { parents: true, ...options });
  expect(await make({ mode: 0o777, modeUse: "masked", mtimeMs: 1_500 })).toMatchObject({
    mode: 0o777 & ~process.umask(),
    mtimeMs: 1_500,
  });
  await chmod(at, 0o2755);
  await make({ mode: 0o700, mtimeMs: 2_500 });
  expect((await stat(at)).mode & 0o7777).toBe(0o2755);
  expect(await make({ mode: 0o555, modeUse: "always", mtimeMs: 2_500 })).toMatchObject({ mtimeMs: 2_500 });
  expect((await stat(at)).mode & 0o7777).toBe(0o2555);
  expect(await refusalCode(make({ mtimeMs: Number.NaN }))).toBe("InvalidArgument");
});

it("does not take a file for a directory", async () => {
  await using scratch = await makeScratch();
  const file = await scratch.file("f");
  for (const parents of [false, true]) {
    expect(await refusalCode(makeDirectory(scratch.boundary(), file, { parents }))).toBe("AlreadyExists");
    expect(await refusalCode(makeDirectory(scratch.boundary(), `${file}/x`, { parents }))).toBe(
      "NotADirectory",
    );
  }
});
