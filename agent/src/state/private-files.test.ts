import { chmod, chown, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkPrivateDirectory, makePrivateDirectory } from "./private-files.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-private-"));
  await writeFile(path.join(directory, "machine.key"), "x", { mode: 0o600 });
  await mkdir(path.join(directory, "jobs"), { mode: 0o700 });
});
afterEach(() => rm(directory, { recursive: true }));

describe("promise 6: what is kept in the state directory is for its owner alone", () => {
  it("all is well, and a name that leads nowhere is nobody's", async () => {
    await symlink("/nowhere/at/all", path.join(directory, "gone"));
    await checkPrivateDirectory(directory);
  });

  it.each([
    ["a file that others can read", "machine.key", 0o644],
    ["a file that others can write", "machine.key", 0o602],
    ["a directory that a group can enter", "jobs", 0o750],
  ])("refuses %s, and says what to do", async (_title, name, mode) => {
    await chmod(path.join(directory, name), mode);
    await expect(checkPrivateDirectory(directory)).rejects.toMatchObject({
      code: "AccessDenied",
      message: expect.stringContaining(name),
      next: expect.stringContaining("chmod go-rwx"),
    });
    await checkPrivateDirectory(directory, { except: [name] });
  });

  it.runIf(process.getuid?.() === 0)("refuses what belongs to somebody else", async () => {
    await chown(path.join(directory, "machine.key"), 65534, 65534);
    await expect(checkPrivateDirectory(directory)).rejects.toMatchObject({
      code: "AccessDenied",
      next: expect.stringContaining("chown"),
    });
  });

  it.runIf(process.getuid?.() === 0)("refuses a directory of somebody else, who could empty it", async () => {
    await makePrivateDirectory(directory);
    await chown(directory, 65534, 65534);
    await expect(makePrivateDirectory(directory)).rejects.toMatchObject({ code: "AccessDenied" });
  });
});
