import { randomUUID } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { JobStore } from "./job-store.ts";
import type { Jobs, JobsOptions } from "./jobs.ts";
import {
  argv,
  begin,
  type Collected,
  collect as collectBytes,
  firstLine,
  follow,
  me,
  newJobs,
  run as runBytes,
  shell,
  somebodyElse,
  until,
} from "./test-support.ts";

/** What a job wrote, as text. */
function texts({ stdout, stderr, ...rest }: Collected) {
  return { ...rest, stdout: stdout.toString(), stderr: stderr.toString() };
}
const collect = async (...args: Parameters<typeof collectBytes>) => texts(await collectBytes(...args));
const run = async (...args: Parameters<typeof runBytes>) => texts(await runBytes(...args));

let directory: string;
beforeEach(() => {
  const scratch = mkdtempSync(join(tmpdir(), "cmdop-jobs-"));
  directory = join(scratch, "jobs");
  mkdirSync(directory);
  // Not afterEach: jobs that the test leaves are shut down first.
  onTestFinished(() => rmSync(scratch, { recursive: true }));
});

/** A life of the agent, as far as jobs go. */
function life(options: JobsOptions = {}, stateDir = directory): { jobs: Jobs; troubles: string[] } {
  const troubles: string[] = [];
  const onTrouble = (what: string, error: unknown) => troubles.push(`${what}: ${String(error)}`);
  const store = new JobStore(stateDir, (error) => onTrouble("identity", error));
  const jobs = newJobs({ ...options, store, onTrouble });
  jobs.restore();
  return { jobs, troubles };
}

/** What a crash leaves of the present life: everything on disk, as it is now. */
function crashed(): string {
  const copy = join(directory, "..", "copy");
  cpSync(directory, copy, { recursive: true });
  return copy;
}

describe("jobs outlive the agent", () => {
  test("promises 2 and 3: after a restart a job that ended is known, with its output and its outcome, and never runs again", async () => {
    const mark = join(directory, "mark");
    const command = shell(`echo ran >> ${mark}; echo out; echo err >&2; exit 3`);
    const first = life();
    const id = randomUUID();
    const before = await collect(follow(begin(first.jobs, command, id)));
    await first.jobs.shutdown();

    const { jobs } = life();
    const { job, attached } = jobs.start(me, id, command);
    expect(attached).toBe(true);
    expect(await collect(follow(job))).toMatchObject({
      stdout: before.stdout,
      stderr: before.stderr,
      outcome: { kind: "exited", exitCode: 3 },
    });
    expect(await run(jobs, argv(["cat", mark]))).toMatchObject({ stdout: "ran\n" });
    expect(() => jobs.start(me, id, shell("another command"))).toThrow("with another request");
    expect(() => jobs.get(somebodyElse, id)).toThrow("knows no job");
  });

  test("promise 1: what ran when the agent died is unknown, is ended, keeps its output, and never runs again", async () => {
    const first = life();
    const command = shell("echo begun; sleep 61.7 & sleep 61.7");
    const id = randomUUID();
    const running = begin(first.jobs, command, id);
    await firstLine(running);
    const second = life({}, crashed()).jobs;

    const { job, attached } = second.start(me, id, command);
    expect(attached).toBe(true);
    const { stdout, outcome } = await collect(follow(job));
    expect(stdout).toBe("begun\n");
    expect(outcome).toMatchObject({ kind: "unknown", reason: expect.stringContaining("has been ended") });
    // In truth both lives are this process, so the first one sees what the second one did.
    expect(await running.ended).not.toMatchObject({ exitCode: 0 });
    expect((await run(second, argv(["pgrep", "-fx", "sleep 61.7"]))).outcome).toMatchObject({ exitCode: 1 });
  });

  test("an unknown outcome is itself written down", async () => {
    const first = life();
    const id = randomUUID();
    const running = begin(first.jobs, shell("echo begun; sleep 61.6"), id);
    await firstLine(running);
    const copy = crashed();
    const second = life({}, copy).jobs;
    await second.get(me, id).ended;
    await second.shutdown();
    expect(life({}, copy).jobs.get(me, id).outcome).toMatchObject({ kind: "unknown" });
  });

  test("output and identity are kept for as long as they are said to be, over restarts too", async () => {
    const first = life();
    const id = randomUUID();
    await collect(follow(begin(first.jobs, shell("echo out"), id)));
    await first.jobs.shutdown();

    const limits = { outputKeptMs: 0, outcomeKeptMs: 3_600_000, sweepMs: 5 };
    const second = life(limits).jobs;
    await until(() => second.get(me, id).journal.start === 4n);
    expect(await collect(follow(second.get(me, id)))).toMatchObject({
      stdout: "",
      droppedBytes: 4n,
      outcome: { kind: "exited", exitCode: 0 },
    });
    await second.shutdown();
    expect(readdirSync(join(directory, "output"))).toEqual([]);

    const third = life({ ...limits, outcomeKeptMs: 0 }).jobs;
    await until(() => third.list(me).length === 0);
    await third.shutdown();
    expect(life().jobs.list(me)).toEqual([]);
  });

  test("output of jobs that nobody knows is set aside, and said; the newest such losses are kept", async () => {
    await life().jobs.shutdown();
    const kept = (): string[] => readdirSync(join(directory, "lost"));
    for (const count of [1, 2, 2]) {
      cpSync(import.meta.dirname, join(directory, "output", "999"), { recursive: true });
      const { jobs, troubles } = life();
      expect(troubles.join()).toContain("The agent has lost 1 jobs");
      expect(readdirSync(join(directory, "output"))).toEqual([]);
      expect(existsSync(join(directory, "lost", kept().at(-1) ?? "", "999", "job.ts"))).toBe(true);
      expect(kept()).toHaveLength(count);
      await jobs.shutdown();
    }
  });

  test("nothing that others could read is written, and no environment or input", async () => {
    const { jobs } = life();
    const secret = "s3cr3t-of-mine";
    const command = shell("cat > /dev/null; echo out", {
      env: { SECRET: secret },
      stdin: Buffer.from(secret),
    });
    await collect(follow(begin(jobs, command)));
    const { stdout } = await run(
      jobs,
      shell(`find ${directory} -type f -perm /077; grep -r ${secret} ${directory}`),
    );
    expect(stdout).toBe("");
  });
});

describe("when the disk says no", () => {
  test("promise 9: a job that can't be written down runs in memory, and says so", async () => {
    const { jobs, troubles } = life();
    // Where the directory of the first job would be, there is a file.
    writeFileSync(join(directory, "output", "1"), "");
    const job = begin(jobs, shell("echo out"));
    expect(await collect(follow(job))).toMatchObject({ stdout: "out\n", outcome: { exitCode: 0 } });
    expect(job.inMemory).toBe(true);
    expect(troubles.join()).toContain("a job's output");
  });

  test.each([
    ["zeroed", (file: Buffer) => file.fill(0)],
    ["emptied", () => ""],
    ["damaged at its beginning", () => "x".repeat(10_000)],
    ["damaged in the middle", (file: Buffer) => file.fill(0xa5, 4_096)],
    ["cut", (file: Buffer) => file.subarray(0, 5_000)],
  ])(
    "a database that was %s is set aside with the output of its jobs, loudly, and jobs run",
    async (_, damage) => {
      const first = life();
      const id = randomUUID();
      await collect(follow(begin(first.jobs, shell("echo precious"), id)));
      await first.jobs.shutdown();
      const file = join(directory, "jobs.db");
      writeFileSync(file, damage(readFileSync(file)));
      const { jobs, troubles } = life();
      expect(troubles.join("\n")).toMatch(/lost the list of all earlier jobs[\s\S]*lost 1 jobs/);
      const [place = ""] = readdirSync(join(directory, "lost"));
      expect(readdirSync(join(directory, "lost", place))).toEqual(["1", "jobs.db"]);
      expect(readFileSync(join(directory, "lost", place, "1", "0.log"), "latin1")).toContain("precious");
      expect(await run(jobs, shell("echo again"))).toMatchObject({ stdout: "again\n" });
    },
  );

  test("a database that another version made is set aside, and said: an upgraded agent starts", async () => {
    const first = life();
    await collect(follow(begin(first.jobs, shell("echo precious"))));
    await first.jobs.shutdown();
    const database = new DatabaseSync(join(directory, "jobs.db"));
    database.exec("ALTER TABLE jobs RENAME COLUMN outcome TO ended");
    database.close();
    const { jobs, troubles } = life();
    expect(troubles.join("\n")).toMatch(/lost the list of all earlier jobs[^\n]*made by another version/);
    expect(await run(jobs, shell("echo again"))).toMatchObject({ stdout: "again\n" });
  });

  test("one job of which the record is damaged is said, and hinders nothing", async () => {
    const first = life();
    const [one, other] = [randomUUID(), randomUUID()];
    for (const id of [one, other]) await collect(follow(begin(first.jobs, shell("echo out"), id)));
    await first.jobs.shutdown();
    const file = join(directory, "jobs.db");
    const bytes = readFileSync(file);
    bytes.write('{"kynd', bytes.indexOf('{"kind"'));
    writeFileSync(file, bytes);
    const { jobs, troubles } = life();
    expect(troubles.join()).toMatch(/What is known of job [0-9a-f-]{36} is damaged/);
    expect(jobs.list(me)).toHaveLength(1);
    const [known] = jobs.list(me);
    const damaged = known?.identity.id === one ? other : one;
    expect(() => jobs.start(me, damaged, shell("echo out"))).toThrow("was started before");
    expect(readdirSync(join(directory, "output"))).toHaveLength(2);
  });

  test("a second agent on the same state is refused", () => {
    life();
    expect(() => life()).toThrow("can't be used");
  });
});
