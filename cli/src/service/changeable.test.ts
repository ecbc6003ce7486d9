import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { changeableByOthers } from "./changeable.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-changeable-"));
});

afterEach(() => rm(directory, { recursive: true }));

it("names a directory that others can write, also behind a link, and for files that are not there yet", async () => {
  const open = path.join(directory, "open");
  await mkdir(open);
  await chmod(open, 0o777);
  await writeFile(path.join(open, "main.ts"), "");
  await symlink(path.join(open, "main.ts"), path.join(directory, "link"));
  expect(await changeableByOthers([path.join(directory, "link")])).toContain(open);
  expect(await changeableByOthers([path.join(open, "not", "there")])).toContain(open);
  await chmod(open, 0o755);
  expect(await changeableByOthers([path.join(directory, "link")])).not.toContain(
    process.getuid?.() === 0 ? open : "",
  );
});

it("lets pass what only root can change, /tmp's sticky bit among it", async () => {
  expect(await changeableByOthers(["/usr/bin/env", "/tmp"])).toEqual([]);
});
