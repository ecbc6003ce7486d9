import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { CMDOP_MAIN, cmdopEnvironment, runCmdop } from "./support/cmdop-process.ts";

/** Takes seconds to copy: long enough to be interrupted. */
const LARGE_BYTES = 2 * 1024 * 1024 * 1024;

let cluster: Cluster;
let apiKey: string;
beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  await cluster.addMachine("db-1");
  const scopes = ["files:read", "files:write"];
  ({ apiKey } = await cluster.createKey({ scopes, machines: ["web-1", "db-1"] }));
  await mkdir(at("tree/sub"), { recursive: true });
  await writeFile(at("tree/sub/file"), "in a tree");
  await writeFile(at("one"), "one");
});
afterAll(() => cluster[Symbol.asyncDispose]());

const at = (...names: string[]): string => path.join(cluster.directory, "files", ...names);
const cp = (...args: string[]) => runCmdop(["cp", ...args], { CMDOP_API_KEY: apiKey });

describe("cmdop cp", () => {
  it("copies there, back and across, and into a directory that exists", async () => {
    expect(await cp(at("one"), `web-1:${at("two")}`)).toMatchObject({
      exitCode: 0,
      stdout: "",
      stderr: "",
    });
    expect((await cp("-q", `web-1:${at("two")}`, at("tree"))).stderr).toBe("");
    expect(await readFile(at("tree/two"), "utf8")).toBe("one");
    expect((await cp(`web-1:${at("two")}`, `db-1:${at("three")}`)).exitCode).toBe(0);
    expect(await readFile(at("three"), "utf8")).toBe("one");
    expect((await cp("-r", at("tree"), `web-1:${at("copied")}`)).exitCode).toBe(0);
    expect(await readFile(at("copied/sub/file"), "utf8")).toBe("in a tree");
    expect((await cp("-r", at("tree"), `web-1:${at("copied")}`)).exitCode).toBe(0);
    expect(await readFile(at("copied/tree/sub/file"), "utf8")).toBe("in a tree");
  });

  it("says what is wrong, with the exit codes that it promises", async () => {
    expect(await cp(at("one"), at("here"))).toMatchObject({ exitCode: 2 });
    expect(await cp("one")).toMatchObject({ exitCode: 2 });
    expect(await cp(at("tree"), `web-1:${at("not-recursive")}`)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("recursive"),
    });
    expect(await cp(at("absent"), `web-1:${at("x")}`)).toMatchObject({ exitCode: 1 });
    expect(await cp("--no-overwrite", at("one"), `web-1:${at("three")}`)).toMatchObject({ exitCode: 1 });
  });

  it("replaces only the content that was meant, where it is told which", async () => {
    await writeFile(at("meant"), "meant");
    const hash = createHash("sha256").update("meant").digest("hex");
    const replace = () => cp("-q", "--if-match", hash, at("one"), `web-1:${at("meant")}`);
    expect(await replace()).toMatchObject({ exitCode: 0 });
    expect(await replace()).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("does not have the expected content"),
    });
    expect(await cp("--if-match", hash, `web-1:${at("one")}`, at("x"))).toMatchObject({ exitCode: 2 });
    expect(await cp("-r", "--if-match", hash, at("tree"), `web-1:${at("x")}`)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("single file"),
    });
  });

  it.each(["up", "down"])(
    "interrupted on its way %s, leaves the old content and nothing else",
    async (way) => {
      await writeFile(at("large"), "");
      await truncate(at("large"), LARGE_BYTES);
      await mkdir(at(way));
      await writeFile(at(way, "target"), "old");
      const ends =
        way === "up"
          ? [at("large"), `web-1:${at(way, "target")}`]
          : [`web-1:${at("large")}`, at(way, "target")];
      const env = cmdopEnvironment({ CMDOP_API_KEY: apiKey });
      const child = spawn(process.execPath, [CMDOP_MAIN, "cp", ...ends], { env, stdio: "ignore" });
      const ended = once(child, "exit");
      const isArriving = async () =>
        (await Promise.all((await readdir(at(way))).map((name) => stat(at(way, name))))).some(
          ({ size }) => size > 1_000_000,
        );
      await expect.poll(isArriving, { timeout: 20_000 }).toBe(true);
      child.kill("SIGINT");
      expect((await ended)[0]).toBe(130);
      await expect.poll(() => readdir(at(way))).toEqual(["target"]);
      expect(await readFile(at(way, "target"), "utf8")).toBe("old");
    },
  );
});
