import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { chmod, chown, readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isErrno } from "@cmdop/kit";
import { CmdopError, FILE_CHUNK_BYTES } from "@cmdop/proto";
import { describe, expect, it, onTestFinished } from "vitest";
import { leftovers, makeScratch, run, type Scratch } from "../files/place/test-support.ts";
import { hashOf } from "../files/read/content-hash.ts";
import { findUser } from "../policy/job-user.ts";
import type { FileCalls } from "./file-calls.ts";
import type { FilesProcess } from "./files-process.ts";
import { scopeIn, startFilesProcess } from "./test-support.ts";
import type { ProcessUser } from "./told.ts";

const ROOT = process.geteuid?.() === 0;

/** How long something that must happen may take on a busy machine, in milliseconds. */
const PATIENT = { timeout: 20_000 };

/** A files process and a place for its files, until the end of the test. */
async function started(
  user: () => ProcessUser | undefined = () => undefined,
): Promise<{ work: FilesProcess; files: FileCalls; scratch: Scratch }> {
  const scratch = await makeScratch();
  const work = startFilesProcess(scratch, { user });
  onTestFinished(async () => {
    await work.close();
    await scratch[Symbol.asyncDispose]();
  });
  return { work, files: work.within(scopeIn(scratch, "key")), scratch };
}

/** Whether a process is not there any more, or only for somebody to ask how it ended. */
function isGone(pid: number): boolean {
  try {
    return /\) [ZX] [^)]*$/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT")) return true;
    throw thrown;
  }
}

/** The pid of the process that is at work. */
function pidOf({ pid }: FilesProcess): number {
  if (pid === undefined) throw new Error("there is no process for files");
  return pid;
}

describe.runIf(ROOT)("files of another user", () => {
  it("are what that user may touch, and belong to it", async () => {
    const user = await findUser("daemon");
    const { files, scratch } = await started(() => user);
    await chmod(scratch.dir, 0o755);
    await chown(scratch.home, user.uid, user.gid);
    for (const secret of ["/etc/shadow", path.join(scratch.stateDir, "machine.key")]) {
      await expect(files.read({ path: secret })).rejects.toMatchObject({
        code: expect.stringMatching(/^(AccessDenied|PolicyDenied)$/),
      });
    }
    const content = Buffer.from("x");
    for (const closed of ["/etc/cmdop-test", scratch.at("not-theirs")]) {
      await expect(files.write({ path: closed, content })).rejects.toMatchObject({ code: "AccessDenied" });
    }
    await files.write({ path: "~/theirs", content });
    expect(await stat(path.join(scratch.home, "theirs"))).toMatchObject({ uid: user.uid, gid: user.gid });
    await files.mkdir({ path: "~/directory" });
    expect((await stat(path.join(scratch.home, "directory"))).uid).toBe(user.uid);
    // Threads that were there before are that user's, too.
    const found = files.search({ path: "/etc/shadow", content: "root", flags: "" });
    await expect(found[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "AccessDenied" });
  });

  it("count the user's other groups", async () => {
    await run("gpasswd", ["--add", "daemon", "games"]);
    onTestFinished(async () => void (await run("gpasswd", ["--delete", "daemon", "games"])));
    const games = await findUser("games");
    const user = await findUser("daemon");
    const { files, scratch } = await started(() => user);
    await chmod(scratch.dir, 0o755);
    const file = await scratch.file("home/for-players");
    await chown(file, 0, games.gid);
    await chmod(file, 0o640);
    expect(Buffer.from((await files.read({ path: file })).content).toString()).toBe("home/for-players");
  });

  it("are worked on by a process that has nothing of the agent's, and that the user's jobs can't look into", async () => {
    const user = await findUser("daemon");
    const { work, files } = await started(() => user);
    await files.info({ path: "/" });
    const at = `/proc/${pidOf(work)}`;
    const environment = (await readFile(`${at}/environ`, "utf8")).split("\0").filter((entry) => entry !== "");
    const names = environment.map((entry) => entry.split("=")[0] ?? "");
    expect(names.filter((name) => !["UV_THREADPOOL_SIZE", "NODE_COMPILE_CACHE"].includes(name))).toEqual([]);
    expect(await readFile(`${at}/status`, "utf8")).toMatch(/^CapEff:\t0+$/m);
    const look = run("setpriv", [
      ...[`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups", "--"],
      ...["cat", `${at}/environ`],
    ]);
    await expect(look).rejects.toThrow(/denied/i);
  });

  it("are the next user's as soon as the policy says so", async () => {
    let user: ProcessUser | undefined;
    const { work, files, scratch } = await started(() => user);
    const daemon = await findUser("daemon");
    await chmod(scratch.dir, 0o755);
    await chown(scratch.home, daemon.uid, daemon.gid);
    expect((await files.read({ path: "/etc/shadow" })).size).toBeGreaterThan(0n);
    const before = pidOf(work);
    work.userMayHaveChanged();
    expect(pidOf(work)).toBe(before);
    user = daemon;
    work.userMayHaveChanged();
    await expect(files.read({ path: "/etc/shadow" })).rejects.toMatchObject({ code: "AccessDenied" });
    expect(isGone(before)).toBe(true);
  });
});

describe("a files process that is killed", () => {
  it("breaks its calls off as a lost connection does, leaves nothing, and is followed by another", async () => {
    const { work, files, scratch } = await started();
    await scratch.file("home/f", "old");
    const endless = async function* () {
      yield { header: { path: "~/f" } };
      for (;;) {
        yield { data: Buffer.alloc(100_000) };
        await sleep(10);
      }
    };
    const upload = files.writeStream(endless()).catch((thrown: unknown) => CmdopError.from(thrown));
    await expect.poll(() => leftovers(scratch.home), PATIENT).toHaveLength(1);
    const killed = pidOf(work);
    process.kill(killed, "SIGKILL");
    expect(await upload).toMatchObject({ code: "LinkLost" });
    expect(Buffer.from((await files.read({ path: "~/f" })).content).toString()).toBe("old");
    expect(pidOf(work)).not.toBe(killed);
    await expect.poll(() => leftovers(scratch.home), PATIENT).toEqual([]);
  });

  it("lets exactly one of many writers win, whenever it is killed", async () => {
    const { work, files, scratch } = await started();
    const file = await scratch.file("home/f", "0");
    let content = "0";
    for (let round = 1; round <= 2; round++) {
      const ifMatch = hashOf(Buffer.from(content));
      const texts = Array.from({ length: 64 }, (_, index) => `${round} ${index}`);
      const write = async (text: string): Promise<string> => {
        const request = { path: "~/f", content: Buffer.from(text), ifMatch };
        try {
          await files.write(request);
          return "won";
        } catch (thrown) {
          return CmdopError.from(thrown).code;
        }
      };
      const ends = texts.map(write);
      // The first of them begins it, or the next one.
      await expect.poll(() => work.pid, PATIENT).toBeDefined();
      await Promise.race([Promise.all(ends), sleep(10 * round)]);
      process.kill(pidOf(work), "SIGKILL");
      // Those that were broken off don't know; they ask again, and the condition tells.
      const first = await Promise.all(ends);
      const again = await Promise.all(
        texts.map(async (text, index) => (first[index] === "LinkLost" ? await write(text) : first[index])),
      );
      expect(again.filter((end) => end === "won").length).toBeLessThanOrEqual(1);
      expect(again.filter((end) => end !== "won" && end !== "FileChanged")).toEqual([]);
      content = await readFile(file, "utf8");
      expect(texts).toContain(content);
      const winner = texts[again.indexOf("won")];
      if (winner !== undefined) expect(content).toBe(winner);
    }
  });

  it("is no orphan: it ends with its agent, and commits nothing more", async () => {
    await using scratch = await makeScratch();
    const program = `
      import { startFilesProcess, scopeIn } from ${JSON.stringify(import.meta.resolve("./test-support.ts"))};
      const boundary = ${JSON.stringify({ ...scratch.boundary(), pinning: undefined })};
      const scratch = { boundary: () => boundary, at: (name) => ${JSON.stringify(scratch.dir)} + "/" + name };
      const work = startFilesProcess(scratch);
      const upload = async function* () {
        yield { header: { path: "~/f" }, data: Buffer.alloc(${FILE_CHUNK_BYTES}) };
        console.log(work.pid);
        await new Promise(() => setInterval(() => undefined, 1_000));
      };
      await work.within(scopeIn(scratch, "key")).writeStream(upload());`;
    const agent = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [pid]: unknown[] = await once(agent.stdout, "data");
    agent.kill("SIGKILL");
    await expect.poll(() => isGone(Number(String(pid))), PATIENT).toBe(true);
    expect(await readdir(scratch.home)).not.toContain("f");
  });
});

it("one key's unread streams don't hinder another's calls", async () => {
  const { work, files, scratch } = await started();
  await scratch.file("home/large", "x".repeat(8 * 1024 * 1024));
  const unread = Array.from({ length: 100 }, () =>
    files.readStream({ path: "~/large" })[Symbol.asyncIterator](),
  );
  await Promise.all(unread.map((stream) => stream.next()));
  const other = work.within(scopeIn(scratch, "other"));
  expect((await other.info({ path: "~/large" })).entry).toMatchObject({ name: "large" });
  await Promise.all(unread.map((stream) => stream.return?.()));
});

it("nobody reaches the inside of the agent, or of its process for files, through /proc", async () => {
  const { work, files } = await started();
  await files.info({ path: "/" });
  for (const pid of [process.pid, pidOf(work), "self"]) {
    await expect(files.read({ path: `/proc/${pid}/environ` })).rejects.toMatchObject({
      code: "PolicyDenied",
    });
  }
});
