import { execFile } from "node:child_process";
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CMDOP_MAIN, runCmdop } from "./support/cmdop-process.ts";

/** A user that is neither us nor root. */
const SOMEBODY = 65_534;

let directory: string;
let home: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-start-"));
  home = path.join(directory, "home");
});

afterEach(() => rm(directory, { recursive: true }));

/** Runs a command with another umask and without the compile cache that the tests have of their own. */
function runWithUmask(umask: string, args: readonly string[]): Promise<string> {
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const words = ["-c", `umask ${umask}; exec "$@"`, "sh", process.execPath, CMDOP_MAIN, ...args];
  return new Promise((resolve, reject) => {
    execFile("/bin/sh", words, { env: { ...env, CMDOP_HOME: home } }, (error, _stdout, stderr) => {
      if (error === null) resolve(stderr);
      else reject(new Error(stderr, { cause: error }));
    });
  });
}

describe("nothing that somebody else could have changed is trusted at a start", () => {
  it("a home of another user's: it is refused, and no compiled code is read or left there", async () => {
    await mkdir(home);
    await chown(home, SOMEBODY, SOMEBODY);
    await expect(runWithUmask("022", ["keys", "list"])).rejects.toThrow(
      new RegExp(`${home} belongs to user ${SOMEBODY}.*\\nnext: .*CMDOP_HOME`),
    );
    expect(await readdir(home)).toEqual([]);
  });

  it("a home that all may write into, or whose parent they may", async () => {
    await mkdir(home);
    for (const open of [home, directory]) {
      await chmod(open, 0o777);
      await expect(runWithUmask("022", ["init"])).rejects.toThrow(`Others may write into ${open}`);
      expect(await readdir(home)).toEqual([]);
      await chmod(open, 0o700);
    }
    expect((await runCmdop(["--version"], { CMDOP_HOME: home })).exitCode).toBe(0);
  });

  it("a compile cache that somebody else has put into it: it is left alone, and said", async () => {
    await mkdir(path.join(home, "cache"), { recursive: true, mode: 0o700 });
    await writeFile(path.join(home, "cache/planted"), "");
    await chown(path.join(home, "cache"), SOMEBODY, SOMEBODY);
    expect(await runWithUmask("022", ["init"])).toMatch(/warning: .*cache belongs to user 65534.*rm -r/);
    expect(await readdir(path.join(home, "cache"))).toEqual(["planted"]);
  });
});

it("with a umask of 000, what is made is its user's alone", async () => {
  await runWithUmask("000", ["init"]);
  await runWithUmask("000", ["policy", "check"]);
  const made = ["", ...(await readdir(home))].map((name) => path.join(home, name));
  expect(made).toContain(path.join(home, "cache"));
  for (const file of made) expect([file, (await lstat(file)).mode & 0o077]).toEqual([file, 0]);
});
