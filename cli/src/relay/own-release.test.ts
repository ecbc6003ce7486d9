import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ownRelease } from "./own-release.ts";

let prefix: string;
beforeEach(async () => {
  prefix = await realpath(await mkdtemp(path.join(os.tmpdir(), "cmdop-own-release-")));
  await mkdir(path.join(prefix, "versions/0.1.0-abc/program"), { recursive: true });
  await writeFile(path.join(prefix, "versions/0.1.0-abc/program/main.js"), "");
  await symlink("versions/0.1.0-abc", path.join(prefix, "current"));
});
afterEach(() => rm(prefix, { recursive: true }));

it("an installed cmdop finds the release that the installer has kept, also through the link to the current one", async () => {
  const kept = path.join(prefix, "releases/0.1.0-abc");
  await mkdir(kept, { recursive: true });
  await writeFile(path.join(kept, "manifest.jws"), "");
  expect(ownRelease(path.join(prefix, "versions/0.1.0-abc/program/main.js"))).toBe(kept);
  expect(ownRelease(path.join(prefix, "current/program/main.js"))).toBe(kept);
});

it("there is none where nothing was kept, and from source", () => {
  expect(ownRelease(path.join(prefix, "current/program/main.js"))).toBeUndefined();
  expect(ownRelease()).toBeUndefined();
});
