import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmod,
  link,
  lutimes,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { Cluster, type ClusterMachine } from "../support/cluster.ts";
import { CMDOP_MAIN, cmdopEnvironment, runCmdop } from "../support/cmdop-process.ts";

/** Takes seconds to copy: long enough to be interrupted. */
const LARGE_BYTES = 2 * 1024 * 1024 * 1024;

/** A busy machine takes its time to start a program and to move the first bytes, in milliseconds. */
const START_TIMEOUT_MS = 60_000;

let cluster: Cluster;
let machine: ClusterMachine;
let apiKey: string;
beforeAll(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  ({ apiKey } = await cluster.createKey({ scopes: ["files:read", "files:write"], machines: ["web-1"] }));
});
afterAll(() => cluster[Symbol.asyncDispose]());

const at = (...names: string[]): string => path.join(cluster.directory, "files", ...names);
const there = (...names: string[]): string => `web-1:${at(...names)}`;
const cp = (...args: string[]) => runCmdop(["cp", ...args], { CMDOP_API_KEY: apiKey });
const text = (...names: string[]) => readFile(at(...names), "utf8");
const names = async (...below: string[]) => (await readdir(at(...below))).sort();

beforeEach(async () => {
  await rm(at(), { recursive: true, force: true });
  await mkdir(at("dir"), { recursive: true });
  await writeFile(at("a.txt"), "a");
  await writeFile(at("b.txt"), "b");
});

describe("cmdop cp, as scp and cp are known", () => {
  it("a trailing slash means a directory: the second copy must not replace what the first one made", async () => {
    for (const file of ["a.txt", "b.txt"]) {
      expect(await cp(at(file), there("newdir/"))).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining("names a directory"),
      });
      expect(await cp(there(file), at("newdir/"))).toMatchObject({ exitCode: 1 });
    }
    expect((await cp(at("a.txt"), there("b.txt/"))).exitCode).toBe(1);
    expect((await cp(there("a.txt/"), at("c.txt"))).exitCode).toBe(1);
    expect((await cp(at("a.txt"), there("dir/"))).exitCode).toBe(0);
    expect([await names(), await names("dir"), await text("b.txt")]).toEqual([
      ["a.txt", "b.txt", "dir"],
      ["a.txt"],
      "b",
    ]);
  });

  it("a file with a second name keeps it, there and here, and that is said", async () => {
    await link(at("b.txt"), at("dir", "second"));
    for (const [from, to] of [
      [at("a.txt"), there("b.txt")],
      [there("a.txt"), at("b.txt")],
    ] as const) {
      await writeFile(at("b.txt"), "b");
      expect(await cp(from, to)).toMatchObject({
        exitCode: 0,
        stderr: expect.stringMatching(/^cmdop: \S+b\.txt: written in place, since it has 2 names/),
      });
      expect(await text("dir", "second")).toBe("a");
    }
    const { stdout } = await cp("--json", at("a.txt"), there("b.txt"));
    expect(JSON.parse(stdout)).toMatchObject({ written: [{ atomic: false, linkSplit: false }] });
  });

  it("several sources go into a directory, which must be there; one that is missing does not keep the others", async () => {
    expect(await cp(at("a.txt"), at("b.txt"), there("none"))).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("several sources"),
    });
    const some = await cp(at("a.txt"), at("missing"), at("b.txt"), there("dir"));
    expect(some).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("missing") });
    expect([await names("dir"), await text("dir", "b.txt")]).toEqual([["a.txt", "b.txt"], "b"]);
    await mkdir(at("other"));
    await writeFile(at("other", "a.txt"), "another");
    expect(await cp(at("a.txt"), at("other/a.txt"), there("dir"))).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("would both become a.txt"),
    });
    const { exitCode, stdout } = await cp("-q", "--json", there("a.txt"), there("b.txt"), at("other"));
    expect([exitCode, JSON.parse(stdout), await names("other")]).toMatchObject([
      0,
      { files: 2, bytes: 2, skipped: [] },
      ["a.txt", "b.txt"],
    ]);
  });

  it("patterns are matched on the machine, and names that look like one can be copied", async () => {
    for (const name of ["x*y", "x1y", ".x3y", "[1].txt"]) await writeFile(at(name), name);
    expect((await cp(there("x*y"), at("dir"))).exitCode).toBe(0);
    expect(await names("dir")).toEqual(["x*y", "x1y"]);
    expect((await cp(there("x\\*y"), at("star"))).exitCode).toBe(0);
    expect((await cp(there("[1].txt"), at("one"))).exitCode).toBe(0);
    expect([await text("star"), await text("one")]).toEqual(["x*y", "[1].txt"]);
    expect(await cp(there("*.log"), at("dir"))).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("matches"),
    });
  });

  it("a path without a slash at its beginning is one in the home", async () => {
    const fromHome = path.relative(os.userInfo().homedir, at("a.txt"));
    expect((await cp(`web-1:${fromHome}`, at("copied"))).exitCode).toBe(0);
    expect(await text("copied")).toBe("a");
    expect(await cp("web-1:~root/x", at("x"))).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("own home"),
    });
  });

  it.each([
    ["up", (from: string, to: string) => [from, `web-1:${to}`]],
    ["down", (from: string, to: string) => [`web-1:${from}`, to]],
  ])(
    "-a keeps times and modes on the way %s, of directories and links too; without it the umask counts",
    async (_, ends) => {
      const time = new Date("2020-01-02T03:04:05Z");
      await mkdir(at("tree/closed"), { recursive: true });
      await writeFile(at("tree/closed/file"), "x");
      await symlink("closed/file", at("tree/link"));
      await chmod(at("tree/closed/file"), 0o666);
      await lutimes(at("tree/link"), time, time);
      await utimes(at("tree/closed/file"), time, time);
      await utimes(at("tree/closed"), time, time);
      await chmod(at("tree/closed"), 0o555);
      await utimes(at("tree"), time, time);
      const [mode, mtimeMs] = [async (name: string) => (await stat(at(name))).mode & 0o777, time.getTime()];
      expect((await cp("-r", ...ends(at("tree"), at("plain")))).exitCode).toBe(0);
      expect([await mode("plain/closed/file"), await mode("plain/closed")]).toEqual([
        0o666 & ~process.umask(),
        0o555,
      ]);
      expect((await stat(at("plain/closed/file"))).mtimeMs).toBeGreaterThan(mtimeMs);
      // Onto what is there: its modes change too.
      for (const _again of [1, 2]) expect((await cp("-a", ...ends(at("tree"), at("dir")))).exitCode).toBe(0);
      for (const name of ["", "/closed", "/closed/file"]) {
        expect(await stat(at(`dir/tree${name}`))).toMatchObject({ mtimeMs });
      }
      expect([await mode("dir/tree/closed/file"), await mode("dir/tree/closed")]).toEqual([0o666, 0o555]);
      expect(await readlink(at("dir/tree/link"))).toBe("closed/file");
    },
  );

  it("what lies in dir/. goes into a directory, whose mode stays", async () => {
    await mkdir(at("site"));
    await writeFile(at("site/index"), "x");
    await chmod(at("site"), 0o700);
    expect((await cp("-a", `${at("site")}/.`, there("dir"))).exitCode).toBe(0);
    expect([await names("dir"), (await stat(at("dir"))).mode & 0o777]).toEqual([
      ["index"],
      0o777 & ~process.umask(),
    ]);
  });

  it("one file that can't be had does not end the copy of a tree", async () => {
    await mkdir(at("tree"));
    for (const name of ["a", "b", "c"]) await writeFile(at("tree", name), name);
    await mkdir(at("dir/tree/b"), { recursive: true });
    expect(await cp("-r", at("tree"), there("dir"))).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^cmdop: passed over b: .*directory/),
    });
    expect(await text("dir/tree/c")).toBe("c");
  });
});

/** A copy that takes long, and what it says. */
async function longCopy() {
  await writeFile(at("large"), "");
  await truncate(at("large"), LARGE_BYTES);
  const args = [CMDOP_MAIN, "cp", at("large"), there("dir/large")];
  const env = cmdopEnvironment({ CMDOP_API_KEY: apiKey });
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(child, "exit");
  onTestFinished(() => void child.kill("SIGKILL"));
  const said: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (piece: string) => said.push(piece));
  const arrived = async () => {
    const sizes = await Promise.all(
      (await names("dir")).map(async (name) => (await stat(at("dir", name))).size),
    );
    return Math.max(0, ...sizes);
  };
  await expect.poll(arrived, { timeout: START_TIMEOUT_MS }).toBeGreaterThan(1_000_000);
  return { child, ended, said: () => said.join(""), arrived };
}

describe("a machine that goes away in the middle of cmdop cp", () => {
  it("is said at once, and the copy goes on when it is back; Ctrl-C meanwhile says what stays, and until when", async () => {
    const { child, ended, said, arrived } = await longCopy();
    await machine.process.stop("SIGKILL");
    await expect.poll(said).toContain("web-1 can't be reached, waiting for it to come back");
    await cluster.restartAgent(machine);
    await expect.poll(said).toContain("web-1 is back, going on");
    const before = await arrived();
    await expect.poll(arrived).toBeGreaterThan(before);
    await machine.process.stop("SIGKILL");
    await expect.poll(() => said().split("waiting").length).toBe(3);
    child.kill("SIGINT");
    expect((await ended)[0]).toBe(130);
    expect(said()).toMatch(/could not be told to remove an unfinished file: it does so by itself within/);
    expect(await names("dir")).toHaveLength(1);
    await cluster.restartAgent(machine);
  });

  it("where it has not, a hangup says that nothing stays, and nothing does", async () => {
    const { child, ended, said } = await longCopy();
    child.kill("SIGHUP");
    expect((await ended)[0]).toBe(130);
    expect(said()).toContain("Nothing unfinished was left behind.");
    expect(await names("dir")).toEqual([]);
  });
});
