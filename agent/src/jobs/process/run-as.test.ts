import { chmod, chown, mkdtemp, readFile, realpath, rm, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { findUser } from "../../policy/job-user.ts";
import {
  argv,
  begin,
  collect,
  follow,
  me,
  newJobs,
  run,
  shell,
  spawnerJobs,
  until,
} from "../test-support.ts";
import { throughShell } from "./launch.ts";
import { environmentOf, type JobUser } from "./run-as.ts";

const ROOT = process.geteuid?.() === 0;

/** A user that every Linux has, at home in a directory of the test's. */
async function nobody(): Promise<JobUser> {
  const home = await realpath(await mkdtemp(path.join(os.tmpdir(), "cmdop-user-")));
  onTestFinished(() => rm(home, { recursive: true }));
  const user = { ...(await findUser("nobody")), home };
  await chown(home, user.uid, user.gid);
  return user;
}

test.skipIf(ROOT)("an agent that is not root says that it can't start jobs as somebody else", async () => {
  await expect(findUser("nobody")).rejects.toThrow(/only root can start jobs as another user/);
});

describe.runIf(ROOT)("jobs of another user", () => {
  test.each([
    ["directly", false],
    ["by the spawner", true],
  ] as const)("run as that user, with nothing of root's (%s)", async (_, spawner) => {
    const user = await nobody();
    const jobs = spawner ? await spawnerJobs() : newJobs({ spawner });
    jobs.govern({ user });
    const line =
      'id -u; id -g; id -G; grep CapEff /proc/self/status; echo "$HOME $USER $LOGNAME"; pwd; ls /proc/1/fd 2>&1 | tail -1; env | grep -c CMDOP_ENV';
    const { stdout, outcome } = await run(jobs, shell(line));
    expect(outcome).toMatchObject({ kind: "exited" });
    const [uid, gid, groups, caps, names, cwd, root, hidden] = stdout.toString().split("\n");
    expect([uid, gid, groups]).toEqual([String(user.uid), String(user.gid), String(user.gid)]);
    expect(caps).toMatch(/\t0+$/);
    expect([names, cwd]).toEqual([`${user.home} nobody nobody`, user.home]);
    expect(root).toMatch(/denied/);
    expect(hidden).toBe("0");
  });

  test("have all groups of that user, as the system says", async () => {
    // Somebody with more than one, where there is such a user; nobody has one.
    const members = (await readFile("/etc/group", "utf8"))
      .split("\n")
      .flatMap((line) => line.split(":")[3]?.split(",")[0] || []);
    const name = members.find((member) => member !== "root") ?? "nobody";
    const jobs = newJobs({ spawner: false });
    jobs.govern({ user: { ...(await findUser(name)), home: "/" } });
    const { stdout } = await run(jobs, shell(`id -G; id -G ${name}`));
    const [own, expected] = stdout
      .toString()
      .split("\n")
      .map((line) => line.split(" ").sort().join(" "));
    expect(own).toBe(expected);
  });

  test("what a caller sets comes to the program and to nothing that is still root", async () => {
    const jobs = newJobs({ spawner: false });
    jobs.govern({ user: await nobody() });
    // The loader says so on standard error when it can't preload, for every program that it starts.
    const env = { LD_PRELOAD: "/nowhere.so", STRANGE: "a 'b' \"c\" $HOME\n", PATH: "/nowhere:/usr/bin:/bin" };
    const { stdout, stderr } = await run(
      jobs,
      argv(["/bin/sh", "-c", 'printf "%s|%s" "$STRANGE" "$PATH"'], { env }),
    );
    expect(stdout.toString()).toBe(`${env.STRANGE}|${env.PATH}`);
    expect(stderr.toString().match(/nowhere\.so/g)).toHaveLength(1);
  });

  test("promise 6: values of variables are in no argument list", async () => {
    const user = await nobody();
    const env = { HOME: "/h", TOKEN: "secret" };
    const launch = { program: "/bin/true", args: [], cwd: "/", env, user, trusted: { HOME: "/h" } };
    const started = throughShell(launch);
    expect(started.args.join(" ")).not.toContain("secret");
    expect(started.env).toEqual({ HOME: "/h", CMDOP_ENV_TOKEN: "secret" });
    expect(() => throughShell({ ...launch, env: { "x;id": "1" } })).toThrow(/can't be handed on/);
    expect(environmentOf(user, { TMPDIR: "/closed/to/others", LANG: "C" })).not.toHaveProperty("TMPDIR");
  });

  test("they can open their standard streams by name", async () => {
    const jobs = newJobs();
    jobs.govern({ user: await nobody() });
    const stdin = Buffer.from("hello");
    const { stdout, stderr } = await run(
      jobs,
      shell("cat /dev/stdin; echo out >/dev/stdout; echo err >/dev/stderr", { stdin }),
    );
    expect([stdout.toString(), stderr.toString()]).toEqual(["helloout\n", "err\n"]);
  });

  test("promise 1: what can't be started says so", async () => {
    const jobs = newJobs({ spawner: false });
    const user = await nobody();
    jobs.govern({ user });
    expect((await run(jobs, argv(["/no/such"]))).outcome).toMatchObject({
      kind: "failed_to_start",
      reason: expect.stringContaining("/no/such was not found"),
    });
    expect((await run(jobs, argv(["true"], { cwd: "/no/where" }))).outcome).toMatchObject({
      kind: "failed_to_start",
      reason: expect.stringContaining("/no/where does not exist"),
    });
    const closed = await mkdtemp(path.join(user.home, "closed-"));
    await chmod(closed, 0o700);
    expect((await run(jobs, argv(["true"], { cwd: closed }))).outcome).toMatchObject({
      kind: "failed_to_start",
      reason: `The working directory ${closed} can't be entered by the user that jobs run as.`,
    });
  });

  test("a cancel reaches all of it, what has left its group too", async () => {
    const jobs = newJobs({ killGraceMs: 200 });
    jobs.govern({ user: await nobody() });
    const job = begin(jobs, shell("setsid sleep 60 & echo $!; trap '' TERM; sleep 60"));
    let child = 0;
    for await (const event of follow(job)) {
      if (event.kind !== "output") continue;
      child = Number(Buffer.from(event.bytes).toString());
      break;
    }
    expect((await stat(`/proc/${child}`)).uid).toBe((await findUser("nobody")).uid);
    expect(await jobs.cancel(me, job.identity.id)).toMatchObject({ kind: "canceled" });
    await until(() =>
      stat(`/proc/${child}`).then(
        () => false,
        () => true,
      ),
    );
  });

  test("sessions are that user's too, terminal and all", async () => {
    const user = await nobody();
    const jobs = newJobs();
    jobs.govern({ user: { ...user, shell: "/bin/sh" } });
    const script = "id -un; tty; stat -c %U $(tty); [ -t 0 ] && echo terminal >/dev/tty; pwd; echo $WORD";
    const { job } = jobs.startSession(me, crypto.randomUUID(), {
      shell: ["/bin/sh", "-c", script],
      size: { cols: 80, rows: 24 },
      cwd: "",
      env: { WORD: "a b" },
      idleTimeoutMs: 0,
    });
    const { stdout, outcome } = await collect(follow(job));
    expect(outcome).toMatchObject({ kind: "exited", exitCode: 0 });
    const lines = stdout.toString().split("\r\n");
    expect(lines).toEqual([
      "nobody",
      expect.stringMatching(/^\/dev\/pts\//),
      "nobody",
      "terminal",
      user.home,
      "a b",
      "",
    ]);
  });

  test("a user that is not there is said to be missing", async () => {
    await expect(findUser("cmdop-nobody-here")).rejects.toThrow("this machine has no user cmdop-nobody-here");
  });
});
