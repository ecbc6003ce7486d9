import { randomUUID } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  alive,
  collect,
  killAfterTest,
  newJobs,
  spawnerJobs,
  starterOf,
  until,
  WAYS,
} from "../test-support.ts";
import { BASH, request, runSession, SH, script, session } from "./test-support.ts";

const CANCEL = { kind: "canceled", reason: "test" } as const;

describe.each(WAYS)("a session started %s", (_way, ready) => {
  test("is a shell on a terminal of its own, typed to, that ends with its own code", async () => {
    const shell = session(await ready(), SH);
    await shell.sees("$ ");
    await shell.type("tty; echo $TERM $COLORTERM\n");
    await shell.sees("/dev/pts/");
    await shell.sees("xterm-256color truecolor\r\n$ ");
    await shell.type("exit 7\n");
    await expect(shell.job.ended).resolves.toMatchObject({ kind: "exited", exitCode: 7 });
  });

  test("is the leader of its session, with the terminal as its controlling terminal", async () => {
    const shell = session(
      await ready(),
      script("cut -d' ' -f1,5-8 /proc/$$/stat; echo > /dev/tty; sleep 60"),
    );
    const pid = await shell.job.pid;
    await shell.sees(`${pid} ${pid} ${pid} 34`);
    await shell.sees(`${pid}\r\n\r\n`);
  });

  test("promise 1: a shell that kills itself is signaled", async () => {
    const { outcome } = await runSession(await ready(), script("kill -9 $$"));
    expect(outcome).toMatchObject({ kind: "signaled", signal: "SIGKILL" });
  });

  test("Ctrl-C ends the program in the foreground, not the shell", async () => {
    const shell = session(await ready(), BASH);
    // Said by the program itself: before that, the shell may not have given it the foreground.
    await shell.type("sh -c 'echo begun; exec sleep 600'\n");
    await shell.sees("\rbegun\r\n");
    await shell.type("\x03");
    // What is typed before is thrown away with the line that it interrupts.
    await shell.sees("$ ");
    await shell.type("echo still here $?\n");
    await shell.sees("\rstill here 130\r\n");
  });

  test("a signal goes to the program in the foreground, not to the shell", async () => {
    const shell = session(await ready(), BASH);
    await shell.type("sh -c 'echo begun; exec sleep 600'\n");
    await shell.sees("\rbegun\r\n");
    shell.job.signal("SIGINT");
    await shell.sees("$ ");
    await shell.type("echo still here $?\n");
    await shell.sees("\rstill here 130\r\n");
  });

  test("a resize reaches the terminal and its programs", async () => {
    const shell = session(
      await ready(),
      script("trap 'stty size' WINCH; stty size; while :; do sleep 0.01; done"),
      {
        size: { cols: 101, rows: 33 },
      },
    );
    await shell.sees("33 101\r\n");
    shell.terminal.resize({ cols: 60, rows: 20 });
    await shell.sees("20 60\r\n");
    expect((await shell.terminal.screen()).size).toEqual({ cols: 60, rows: 20 });
  });

  test("a close ends an interactive shell at once, which ignores SIGTERM", async () => {
    const shell = session(await ready({ killGraceMs: 600_000 }), BASH);
    await shell.type("sleep 600 & echo be''gun\n");
    await shell.sees("begun\r\n");
    await expect(shell.job.stop(CANCEL)).resolves.toMatchObject({ kind: "canceled", signal: "SIGHUP" });
  });

  test("a close ends what ignores it, in the foreground, in the background and outside of the session", async () => {
    const directory = await temporaryDirectory();
    const file = join(directory, "pids");
    const shell = session(await ready({ killGraceMs: 100 }), BASH, { env: { FILE: file } });
    const stubborn = `sh -c "trap '' HUP TERM; echo \\$\\$ >>$FILE; sleep 600; sleep 600"`;
    for (const line of [`${stubborn} &`, `setsid ${stubborn} &`, stubborn]) await shell.type(`${line}\n`);
    const pids = async (): Promise<number[]> => {
      const text = await readFile(file, "utf8").catch(() => "");
      return text.trimEnd().split("\n").map(Number);
    };
    await until(async () => (await pids()).length === 3);
    await expect(shell.job.stop(CANCEL)).resolves.toMatchObject({ kind: "canceled" });
    for (const pid of await pids()) expect(await alive(pid)).toBe(false);
  });

  test("a close hangs up on every job of the shell, also where the shell does not pass it on", async () => {
    const file = join(await temporaryDirectory(), "said");
    const shell = session(await ready(), SH, { env: { FILE: file } });
    await shell.type("set -m\n");
    await shell.type(
      `sh -c 'trap "echo hung up >$FILE; exit" HUP; echo be""gun; while :; do sleep 0.01; done' &\n`,
    );
    await shell.sees("begun\r\n");
    await shell.job.stop(CANCEL);
    expect(await readFile(file, "utf8")).toBe("hung up\n");
  });

  test("a background job lives on after the shell's own end, which does not wait for it", async () => {
    const shell = session(await ready(), BASH);
    await shell.type("sleep 600 & echo pid=$!; echo be''gun\n");
    await shell.sees("begun\r\n");
    const pid = Number(/pid=(\d+)/.exec((await shell.terminal.history(0)).text)?.[1]);
    killAfterTest(pid);
    await shell.type("exit 3\n");
    await expect(shell.job.ended).resolves.toMatchObject({ kind: "exited", exitCode: 3 });
    expect(await alive(pid)).toBe(true);
  });

  test("promise 1: a shell that is not there has failed to start, and says why", async () => {
    const { outcome } = await runSession(await ready(), ["no-such-shell"]);
    expect(outcome).toMatchObject({
      kind: "failed_to_start",
      reason: "The program no-such-shell was not found in PATH.",
    });
  });
});

test("promise 1: a program or directory that can't be used has failed to start, each with its own reason", async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, "plain"), "#!/bin/sh\n");
  const jobs = newJobs();
  const reasonOf = async (program: string, cwd: string) =>
    expect((await runSession(jobs, [program], { cwd })).outcome).toMatchObject({
      kind: "failed_to_start",
      reason: expect.stringMatching(/permission|does not exist/),
    });
  await reasonOf("./plain", directory);
  await reasonOf(directory, directory);
  await reasonOf("/bin/sh", join(directory, "nowhere"));
  await chmod(join(directory, "plain"), 0o700);
  expect((await runSession(jobs, ["./plain"], { cwd: directory })).outcome).toMatchObject({ exitCode: 0 });
});

test("promise 1: when the spawner is killed, its sessions are unknown and ended, and others begin", async () => {
  const jobs = await spawnerJobs();
  const spawner = await starterOf(jobs);
  const shell = session(jobs, BASH);
  await shell.sees("$ ");
  const pid = await shell.job.pid;
  process.kill(spawner, "SIGKILL");
  await expect(shell.job.ended).resolves.toMatchObject({
    kind: "unknown",
    reason: expect.stringContaining("has been ended"),
  });
  expect(await alive(pid)).toBe(false);
  expect((await runSession(jobs, script("exit 4"))).outcome).toMatchObject({ exitCode: 4 });
});

test("where no shell is named it is the user's, as a login shell", async () => {
  const directory = await temporaryDirectory();
  const own = join(directory, "shell");
  await writeFile(own, '#!/bin/sh\necho "mine: $*"; pwd\n', { mode: 0o700 });
  const jobs = newJobs({ environment: { PATH: process.env.PATH ?? "", HOME: directory, SHELL: own } });
  const { output } = await runSession(jobs, []);
  expect(output).toBe(`mine: -l\r\n${directory}\r\n`);
});

test("an idle session ends; input, viewers and questions keep it", async () => {
  const jobs = await spawnerJobs();
  const idle = { idleTimeoutMs: 300 };
  const watched = session(jobs, SH, idle);
  const typed = session(jobs, SH, idle);
  const asked = session(jobs, SH, idle);
  const left = session(jobs, SH, idle);
  using _viewer = watched.job.journal.open(0n, { holds: false });
  const use = setInterval(() => {
    typed.type(" ");
    asked.terminal.screen();
  }, 20);
  onTestFinished(() => clearInterval(use));
  await expect(left.job.ended).resolves.toMatchObject({
    kind: "timed_out",
    reason: "Its idle limit of 300 ms passed without input and without a viewer.",
  });
  expect([watched, typed, asked].map(({ job }) => job.outcome)).toEqual([undefined, undefined, undefined]);
  clearInterval(use);
  await expect(typed.job.ended).resolves.toMatchObject({ kind: "timed_out" });
  await expect(asked.job.ended).resolves.toMatchObject({ kind: "timed_out" });
  expect(watched.job.outcome).toBeUndefined();
});

test("promise 9: a viewer that reads nothing holds up neither the session nor memory, and is told what it missed", async () => {
  const bound = 256 * 1024;
  const jobs = newJobs({ maxMemoryJournalBytes: bound });
  const { job } = session(jobs, script("read line; seq 400000; echo the end"));
  const stuck = job.events({ after: 0n, attached: true, holds: true });
  await stuck.next();
  await job.input({ writerId: randomUUID(), offset: 0n, data: Buffer.from("\n"), eof: false });
  await expect(job.ended).resolves.toMatchObject({ kind: "exited" });
  expect(job.journal.end).toBeGreaterThan(2_000_000n);
  expect(job.journal.heldBytes).toBeLessThan(2 * bound);
  const { stdout, droppedBytes } = await collect(stuck);
  expect(droppedBytes).toBe(job.journal.start);
  expect(stdout.toString()).toMatch(/\r\n400000\r\nthe end\r\n$/);
});

test.each([
  ["no columns", { size: { cols: 0, rows: 24 } }, "1 to 500 cols; 0"],
  ["too many rows", { size: { cols: 80, rows: 501 } }, "1 to 500 rows; 501"],
  ["half a column", { size: { cols: 80.5, rows: 24 } }, "80.5"],
  ["a NUL in its environment", { env: { X: "\0" } }, "NUL"],
])("a session with %s is refused", (_name, more, message) => {
  expect(() => session(newJobs(), SH, more)).toThrow(
    expect.objectContaining({ code: "InvalidArgument", message: expect.stringContaining(message) }),
  );
});

test("promise 2: the same request is the same session, another is refused", async () => {
  const jobs = newJobs();
  const { job } = session(jobs, SH, { size: { cols: 90, rows: 30 } });
  const { keyId, id } = job.identity;
  const again = (size: { cols: number; rows: number }) =>
    jobs.startSession({ keyId, admin: false }, id, request(SH, { size }));
  expect(again({ cols: 90, rows: 30 })).toEqual({ job, attached: true });
  expect(() => again({ cols: 91, rows: 30 })).toThrow(expect.objectContaining({ code: "JobConflict" }));
});

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "cmdop-session-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}
