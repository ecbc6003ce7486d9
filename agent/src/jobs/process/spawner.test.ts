import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Jobs } from "../jobs.ts";
import { JOB_LIMITS } from "../limits.ts";
import { nativePty } from "../session/native-pty.ts";
import {
  alive,
  argv,
  begin,
  collect,
  eventsOf,
  firstLine,
  follow,
  newJobs,
  run,
  shell,
  spawnerJobs,
  starterOf,
  until,
} from "../test-support.ts";

const CANCEL = { kind: "canceled", reason: "test" } as const;

describe.skipIf(process.platform !== "linux")("the spawner", () => {
  test("starts the commands, in a session of their own, and tells their real pid", async () => {
    const jobs = await spawnerJobs();
    expect(await starterOf(jobs)).not.toBe(process.pid);
    const job = begin(jobs, shell("cat /proc/$$/stat"));
    const [started] = await eventsOf(follow(job));
    const [pid, , , , group, session] = (await collect(follow(job))).stdout.toString().split(" ").map(Number);
    expect(started).toMatchObject({ kind: "started", pid });
    expect([group, session]).toEqual([pid, pid]);
  });

  test.each([true, false])(
    "gives a command its three descriptors and no more (mounts that may hang: %s)",
    async (hang) => {
      const inherited = openInheritable();
      const jobs = await spawnerJobs({ mayHang: () => hang });
      const { stdout } = await run(jobs, shell("ls /proc/$$/fd", { stdin: Buffer.from("x") }));
      expect(await readdir("/proc/self/fd")).toContain(String(inherited));
      expect(stdout.toString()).toBe("0\n1\n2\n");
    },
  );

  test.each(["/dev/stdout", "/dev/stderr"])("lets a program open %s by its name", async (path) => {
    const { stdout, stderr } = await run(await spawnerJobs(), shell(`echo written > ${path}`));
    expect([stdout.toString(), stderr.toString()]).toEqual(
      path === "/dev/stdout" ? ["written\n", ""] : ["", "written\n"],
    );
  });

  test("hands over input that is known beforehand", async () => {
    const stdin = Buffer.alloc(2 ** 20, "0123456789");
    const { stdout } = await run(await spawnerJobs(), argv(["cat"], { stdin }));
    expect(stdout.equals(stdin)).toBe(true);
  });

  test("keeps descriptors of no command, neither in the agent nor in itself", async () => {
    const jobs = await spawnerJobs();
    const spawner = await starterOf(jobs);
    const before = await ownDescriptors(spawner);
    for (let round = 0; round < 5; round += 1) {
      await run(jobs, shell("echo x; echo y >&2", { stdin: Buffer.from("x") }));
      await run(jobs, argv(["no-such-program"], { stdin: Buffer.from("x") }));
    }
    expect(await ownDescriptors(spawner)).toEqual(before);
    const inputs = await readlinks(process.pid);
    expect(inputs.filter((target) => target.includes("cmdop-stdin-"))).toEqual([]);
  });

  test("has no secret in its environment or its arguments", async () => {
    process.env.CMDOP_TEST_SECRET = "secret";
    process.env.OPENAI_API_KEY = "secret";
    onTestFinished(() => {
      delete process.env.CMDOP_TEST_SECRET;
      delete process.env.OPENAI_API_KEY;
    });
    const spawner = await starterOf(await spawnerJobs());
    const environment = await readFile(`/proc/${spawner}/environ`, "utf8");
    const names = environment.split("\0").flatMap((variable) => variable.split("=")[0] || []);
    expect(names.filter((name) => !/^NODE_(CHANNEL_.*|COMPILE_CACHE)$/.test(name))).toEqual([]);
    expect(await readFile(`/proc/${spawner}/cmdline`, "utf8")).not.toContain("secret");
  });

  test("promise 1: when it is killed, its jobs are unknown and ended, and others start", async () => {
    const jobs = await spawnerJobs();
    const spawner = await starterOf(jobs);
    const job = begin(jobs, shell("sleep 60 & setsid sleep 60 & echo $!; wait"));
    const stray = Number(await firstLine(job));
    const leader = await job.pid;
    process.kill(spawner, "SIGKILL");
    await expect(job.ended).resolves.toMatchObject({
      kind: "unknown",
      reason: expect.stringMatching(/helper.*SIGKILL.*has been ended/),
    });
    expect([await alive(leader), await alive(stray)]).toEqual([false, false]);
    expect((await run(jobs, shell("exit 3"))).outcome).toMatchObject({ kind: "exited", exitCode: 3 });
    await until(async () => ![spawner, process.pid].includes(await starterOf(jobs)));
  });

  test("promise 1: when it is killed before it has answered, nothing that it was asked for runs on", async () => {
    const jobs = await spawnerJobs();
    const spawner = await starterOf(jobs);
    process.kill(spawner, "SIGSTOP");
    const job = begin(jobs, argv(["sleep", "60"]));
    process.kill(spawner, "SIGKILL");
    await expect(eventsOf(follow(job))).resolves.toMatchObject([
      { kind: "started", pid: 0 },
      { kind: "ended", outcome: { kind: "unknown", reason: expect.stringContaining("SIGKILL") } },
    ]);
  });

  test("a cancel, a signal and a time limit before the pid is known are not lost", async () => {
    const jobs = await spawnerJobs();
    const spawner = await starterOf(jobs);
    process.kill(spawner, "SIGSTOP");
    const canceled = begin(jobs, argv(["sleep", "60"]));
    const signaled = begin(jobs, argv(["sleep", "60"]));
    const late = begin(jobs, argv(["sleep", "60"], { timeoutMs: 1 }));
    const outcome = canceled.stop(CANCEL);
    signaled.signal("SIGUSR1");
    // Longer than the time limit, whose clock does not wait for the pid.
    await run(await spawnerJobs({ spawner: false }), argv(["sleep", "0.05"]));
    process.kill(spawner, "SIGCONT");
    // By a signal, or before it was started: either is an end that is right.
    await expect(outcome).resolves.toMatchObject({ kind: "canceled" });
    await expect(signaled.ended).resolves.toMatchObject({ kind: "signaled", signal: "SIGUSR1" });
    await expect(late.ended).resolves.toMatchObject({ kind: "timed_out" });
  });

  test("a start that takes too long is unknown, and never comes about", async () => {
    const jobs = await spawnerJobs({ startWaitMs: 100 });
    const spawner = await starterOf(jobs);
    const directory = await mkdtemp(join(tmpdir(), "cmdop-jobs-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    process.kill(spawner, "SIGSTOP");
    const job = begin(jobs, argv(["touch", join(directory, "late")]));
    await expect(job.ended).resolves.toMatchObject({
      kind: "unknown",
      reason: expect.stringContaining("100 ms after"),
    });
    process.kill(spawner, "SIGCONT");
    // Its answer to the next request comes after that to the late one.
    await run(jobs, argv(["true"]));
    expect(await readdir(directory)).toEqual([]);
  });

  test("one that answers nothing is left with what it has, and another takes what comes", async () => {
    const jobs = await spawnerJobs();
    const first = await starterOf(jobs);
    const before = begin(jobs, shell("echo runs; sleep 2; exit 4"));
    await firstLine(before);
    process.kill(first, "SIGSTOP");
    const stuck = begin(jobs, argv(["true"]));
    const second = await starterOfNext(jobs, first);
    expect([first, process.pid]).not.toContain(second);
    process.kill(first, "SIGCONT");
    expect(await before.ended).toMatchObject({ kind: "exited", exitCode: 4 });
    expect(await stuck.ended).toMatchObject({ kind: "exited" });
    // With nothing left to tell it goes.
    await until(async () => !(await alive(first)));
  });

  /** Of the first command that is not started by this one. */
  async function starterOfNext(jobs: Jobs, first: number): Promise<number> {
    let starter = first;
    await until(async () => {
      const job = begin(jobs, shell("echo $PPID"));
      const line = await Promise.race([firstLine(job), sleep(500, "")]);
      if (line !== "") starter = Number(line);
      return line !== "";
    });
    return starter;
  }

  test("says so where it is unable itself, and nothing is started", async () => {
    const jobs = await spawnerJobs();
    const spawner = await starterOf(jobs);
    // No more descriptors for it.
    await run(jobs, argv(["prlimit", `--pid=${spawner}`, "--nofile=3:3"]));
    expect((await run(jobs, argv(["true"]))).outcome).toMatchObject({
      kind: "failed_to_start",
      reason: expect.stringMatching(/helper process that starts commands.*EMFILE/),
    });
  });

  test("leaves stops and hangups to the agent", async () => {
    const jobs = await spawnerJobs();
    const spawner = await starterOf(jobs);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(spawner, signal);
    expect(await starterOf(jobs)).toBe(spawner);
    const { stdout } = await run(jobs, argv(["grep", "SigIgn", "/proc/self/status"]));
    expect(stdout.toString()).toMatch(/0{16}$/m);
  });

  test("ends at shutdown, also while it hangs", async () => {
    for (const hangs of [false, true]) {
      const jobs = await spawnerJobs();
      const spawner = await starterOf(jobs);
      if (hangs) process.kill(spawner, "SIGSTOP");
      await jobs.shutdown();
      expect(await readdir("/proc")).not.toContain(String(spawner));
    }
  });

  test("leaves no pipes behind when shutdown comes while they are being made", async () => {
    const openPipes = async (): Promise<number> => {
      const names = (await readdir("/proc/self/fd")).map((fd) =>
        readlink(`/proc/self/fd/${fd}`).catch(() => ""),
      );
      return (await Promise.all(names)).filter((name) => name.startsWith("pipe:")).length;
    };
    const before = await openPipes();
    for (const waitMs of [0, 2, 4]) {
      const jobs = newJobs();
      const warm = jobs.warm();
      await sleep(waitMs);
      await jobs.shutdown();
      await warm;
      expect(await openPipes()).toBe(before);
    }
  });

  test("ends by itself when the agent is killed; a job that outlives the agent is not its business", async () => {
    const agent = spawn(process.execPath, ["--input-type=module-typescript", "--eval", AGENT], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface(agent.stdout);
    const [spawner, job] = String((await once(lines, "line"))[0])
      .split(" ")
      .map(Number);
    if (spawner === undefined || job === undefined) throw new Error("the agent printed no pids");
    onTestFinished(() => {
      process.kill(job, "SIGKILL");
    });
    expect(spawner).not.toBe(agent.pid);
    expect(await alive(spawner)).toBe(true);
    agent.kill("SIGKILL");
    await until(async () => !(await alive(spawner)));
  });

  test("starts also what is large, or keeps its input open: nothing is forked by the agent", async () => {
    const jobs = await spawnerJobs();
    const spawner = await starterOf(jobs);
    const large = await run(
      jobs,
      shell("echo $PPID", { env: { A: "x".repeat(120_000), B: "x".repeat(120_000) } }),
    );
    expect(Number(large.stdout)).toBe(spawner);
    const open = begin(jobs, shell("echo $PPID; cat", { stdinOpen: true }));
    expect(Number(await firstLine(open))).toBe(spawner);
    await open.input({ writerId: randomUUID(), offset: 0n, data: Buffer.from("typed"), eof: true });
    expect((await collect(follow(open))).stdout.toString()).toBe(`${spawner}\ntyped`);
  });

  test("a burst of jobs is answered one by one, each with its own output and end", async () => {
    const jobs = await spawnerJobs();
    const numbers = Array.from({ length: 200 }, (_, index) => index);
    const results = await Promise.all(
      numbers.map((number) => run(jobs, shell(`echo ${number}; exit ${number}`))),
    );
    expect(results.map(({ stdout }) => Number(stdout))).toEqual(numbers);
    expect(results.map(({ outcome }) => outcome)).toMatchObject(numbers.map((exitCode) => ({ exitCode })));
    expect(JOB_LIMITS.maxRunningJobs / 2).toBeGreaterThan(numbers.length);
  });
});

/** A process that uses Jobs and runs until it is killed; prints the pids of its spawner and of a job. */
const AGENT = `
  import { randomUUID } from "node:crypto";
  import { readFileSync } from "node:fs";
  import { Jobs } from ${JSON.stringify(new URL("../jobs.ts", import.meta.url).href)};
  const jobs = new Jobs();
  await jobs.warm();
  const command = { run: { argv: ["sleep", "60"] }, cwd: "", env: {}, timeoutMs: 0, stdinOpen: false, stdin: new Uint8Array() };
  const { job } = jobs.start({ keyId: "key", admin: false }, randomUUID(), command);
  const pid = await job.pid;
  const parent = /^PPid:\\s+(\\d+)/m.exec(readFileSync("/proc/" + pid + "/status", "utf8"))[1];
  console.log(parent + " " + pid);
  setInterval(() => undefined, 60_000);
`;

/** A descriptor that children inherit unless somebody sees to it, as a PTY's master comes; until the test ends. */
function openInheritable(): number {
  const { master, slave } = nativePty().open({ cols: 80, rows: 24 });
  onTestFinished(() => {
    for (const descriptor of [master, slave]) closeSync(descriptor);
  });
  return master;
}

/** What a process has open, but for what Node itself may open at any time. */
async function ownDescriptors(pid: number): Promise<string[]> {
  return (await readlinks(pid)).filter((target) => /pipe|cmdop|fifo|\/dev\/null/.test(target)).sort();
}

async function readlinks(pid: number): Promise<string[]> {
  const names = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.allSettled(names.map((name) => readlink(`/proc/${pid}/fd/${name}`)));
  return targets.flatMap((target) => (target.status === "fulfilled" ? [target.value] : []));
}
