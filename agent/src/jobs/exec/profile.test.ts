import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { plainLogin } from "../../login/login.ts";
import type { Jobs } from "../jobs.ts";
import { baseEnvironment } from "../process/environment.ts";
import { argv, begin, collect, follow, me, run, shell, spawnerJobs } from "../test-support.ts";

const SHELLS = ["/bin/bash", "/bin/dash", "/usr/bin/zsh", "/bin/ksh", "/usr/bin/mksh"].filter(existsSync);

/** Where each shell looks first at a login. */
const PROFILES = [".profile", ".zprofile"] as const;

/** Jobs of a user with this shell, whose profile says this. */
async function jobsWith(lineShell: string, profile: string): Promise<Jobs> {
  const home = await mkdtemp(path.join(os.tmpdir(), "cmdop-profile-"));
  onTestFinished(() => rm(home, { recursive: true }));
  for (const name of PROFILES) await writeFile(path.join(home, name), `${profile}\n`);
  const jobs = await spawnerJobs();
  const environment = { ...baseEnvironment(), HOME: home, SHELL: lineShell };
  jobs.govern({ login: async () => ({ ...plainLogin(environment), shell: lineShell, lineShell }) });
  return jobs;
}

const NOISY = [
  'export PATH="$HOME/tools:$PATH" LEFT=profile MINE=profile',
  "echo welcome; echo trouble >&2; read answer; cd /; alias echo=false; exec 3</dev/null 9</dev/null",
].join("\n");

describe.each(SHELLS)("a command with the profile that %s reads", (lineShell) => {
  test("finds what that sets, and nothing of what it prints, reads or does", async () => {
    const jobs = await jobsWith(lineShell, NOISY);
    const line = 'echo "$LEFT $MINE"; pwd; case $PATH in */tools:*) echo tools;; esac; cat; echo $0 >&2';
    const more = { login: true, cwd: "/tmp", env: { MINE: "caller" }, stdin: Buffer.from("input") };
    const { stdout, stderr, outcome } = await run(jobs, shell(line, more));
    expect(stdout.toString()).toBe("profile caller\n/tmp\ntools\ninput");
    expect(stderr.toString()).toBe(`${lineShell}\n`);
    expect(outcome).toMatchObject({ kind: "exited", exitCode: 0 });
    const plain = await run(jobs, shell('echo "[$LEFT]"'));
    expect(plain.stdout.toString()).toBe("[]\n");
    const program = await run(jobs, argv(["printenv", "LEFT"], { login: true }));
    expect(program.stdout.toString()).toBe("profile\n");
  });

  test("is not run, and says why, where the profile ends its shell", async () => {
    const jobs = await jobsWith(lineShell, "echo not today; exit 3");
    const { stdout, outcome } = await run(jobs, shell("echo ran", { login: true }));
    expect(stdout.toString()).toBe("");
    expect(outcome).toMatchObject({
      kind: "failed_to_start",
      reason: expect.stringMatching(/the profile that \S+ reads .* with exit code 3, before .*not today/s),
    });
  });
});

test("a cancel, and a time limit, end a profile that hangs, and the command never runs", async () => {
  const jobs = await jobsWith("/bin/bash", "echo asleep; sleep 1000");
  const job = begin(jobs, shell("echo ran", { login: true }));
  const canceled = await jobs.cancel(me, job.identity.id);
  expect(canceled).toMatchObject({ kind: "canceled" });
  expect((await collect(follow(job))).stdout.toString()).toBe("");
  const limited = await run(jobs, shell("echo ran", { login: true, timeoutMs: 500 }));
  expect(limited.outcome).toMatchObject({
    kind: "timed_out",
    reason: expect.stringContaining(
      "the profile that /bin/bash reads at a login had not come to its end yet",
    ),
  });
});

test("what a profile leaves running neither holds the command up nor ends with it", async () => {
  const jobs = await jobsWith("/bin/bash", "sleep 1000 & export SLEEPER=$!");
  const { stdout, outcome } = await run(jobs, shell("kill $SLEEPER && echo ended", { login: true }));
  expect(outcome).toMatchObject({ kind: "exited", exitCode: 0 });
  expect(stdout.toString()).toBe("ended\n");
});

test("values that shells write in strange ways come through whole", async () => {
  const jobs = await jobsWith(
    "/bin/bash",
    "export ODD=$'a\\n\"b\\' $(c)' ; f() { echo called; }; export -f f",
  );
  const { stdout } = await run(jobs, shell('printf %s "$ODD"; f', { login: true }));
  expect(stdout.toString()).toBe("a\n\"b' $(c)called\n");
});
