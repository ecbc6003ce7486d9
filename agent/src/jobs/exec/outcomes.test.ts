import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { argv, begin, collect, eventsOf, follow, newJobs, run, shell, WAYS } from "../test-support.ts";
import type { Command } from "./command.ts";

describe.each(WAYS)("started %s", (_way, ready) => {
  test.each([
    ["exit 0", 0],
    ["exit 3", 3],
    ["exit 137", 137],
    ["exit 255", 255],
    ["no-such-command-at-all", 127],
    ["/etc/passwd", 126],
    ["-no-option", 127],
  ])("promise 1: `%s` under the shell is exited %i", async (line, exitCode) => {
    const { outcome } = await run(await ready(), shell(line));
    expect(outcome).toMatchObject({ kind: "exited", exitCode });
  });

  test.each(["SIGKILL", "SIGTERM", "SIGSEGV"])(
    "promise 1: a shell killed by %s is signaled",
    async (signal) => {
      const { outcome } = await run(await ready(), shell(`kill -${signal.slice(3)} $$`));
      expect(outcome).toMatchObject({ kind: "signaled", signal });
    },
  );

  test("a missing program in argv failed to start, and the reason says which", async () => {
    const { outcome } = await run(await ready(), argv(["no-such-program", "x"]));
    expect(outcome).toMatchObject({
      kind: "failed_to_start",
      reason: "The program no-such-program was not found in PATH.",
    });
  });

  test.each<[string, Command["run"]]>([
    ["a shell line", { shell: "true" }],
    ["argv", { argv: ["true"] }],
  ])("a missing working directory of %s failed to start, and the reason says so", async (_name, what) => {
    const { outcome } = await run(await ready(), { ...shell(""), run: what, cwd: "/no/such/directory" });
    expect(outcome).toMatchObject({
      kind: "failed_to_start",
      reason: "The working directory /no/such/directory does not exist.",
    });
  });

  test("a file as working directory failed to start", async () => {
    const { outcome } = await run(await ready(), argv(["true"], { cwd: "/etc/passwd" }));
    expect(outcome).toMatchObject({ reason: "The working directory /etc/passwd is not a directory." });
  });

  test("a script whose interpreter is missing, and one that may not be executed, say just that", async () => {
    const directory = await mkdtemp(join(tmpdir(), "cmdop-jobs-"));
    onTestFinished(() => rm(directory, { recursive: true }));
    const script = join(directory, "script");
    await writeFile(script, "#!/no/such/interpreter\n");
    const jobs = await ready();
    expect((await run(jobs, argv([script]))).outcome).toMatchObject({
      kind: "failed_to_start",
      reason: expect.stringContaining("may not be executed"),
    });
    await chmod(script, 0o755);
    expect((await run(jobs, argv([script]))).outcome).toMatchObject({
      kind: "failed_to_start",
      reason: expect.stringContaining("interpreter"),
    });
  });

  test("an argument that is too long for the system failed to start", async () => {
    const { outcome } = await run(await ready(), argv(["echo", "x".repeat(200_000)]));
    expect(outcome).toMatchObject({ kind: "failed_to_start", reason: expect.stringContaining("too long") });
  });

  test("a job that failed to start has no process, and its stream is whole", async () => {
    const events = await eventsOf(follow(begin(await ready(), argv(["no-such-program"]))));
    expect(events).toMatchObject([
      { kind: "started", pid: 0, offset: 0n },
      { kind: "ended", offset: 0n, outcome: { kind: "failed_to_start" } },
    ]);
  });

  test("the working directory is the home, `~` expands, and other paths are relative to it", async () => {
    const jobs = await ready({ environment: { PATH: process.env.PATH ?? "", HOME: "/usr" } });
    const pwd = async (cwd: string): Promise<string> =>
      (await run(jobs, argv(["/bin/pwd"], { cwd }))).stdout.toString().trim();
    expect(await pwd("")).toBe("/usr");
    expect(await pwd("~")).toBe("/usr");
    expect(await pwd("~/bin")).toBe("/usr/bin");
    expect(await pwd("lib")).toBe("/usr/lib");
    expect(await pwd("/etc")).toBe("/etc");
  });

  test("argv reaches the program as it is, with no shell in between", async () => {
    const args = ["$HOME", "a b", "*", "'\"", "", "-n", "ä€𝄞", "\n"];
    const { stdout } = await run(await ready(), argv(["printf", "[%s]", ...args]));
    expect(stdout.toString()).toBe(args.map((arg) => `[${arg}]`).join(""));
  });

  test("the environment is what was asked for and no more, whatever its names", async () => {
    const jobs = await ready({ environment: { PATH: "/usr/bin:/bin", HOME: "/" } });
    const env = { "a.b": "c d", PLAIN: "$x 'y'\n", id: "kept" };
    const { stdout } = await run(jobs, argv(["/usr/bin/env", "-0"], { env }));
    const variables = Object.fromEntries(
      stdout
        .toString()
        .split("\0")
        .filter((line) => line !== "")
        .map((line) => line.split(/=(.*)/s, 2)),
    );
    expect(variables).toEqual({
      PATH: "/usr/bin:/bin",
      HOME: "/",
      ...env,
      CMDOP_JOB_MARK: expect.any(String),
    });
  });

  test("the duration is that of the process", async () => {
    const job = begin(await ready(), shell("true"));
    const { outcome } = await collect(follow(job));
    expect(outcome?.durationMs).toBeGreaterThan(0);
    expect(job.outcome).toBe(outcome);
  });
});

test.each<[string, Command]>([
  ["NUL byte", argv(["echo", "a\0b"])],
  ["NUL byte", shell("echo a\0b")],
  ["NUL byte", shell("true", { cwd: "/tmp\0" })],
  ["NUL byte", shell("true", { env: { A: "\0" } })],
  ["empty", argv([])],
  ["empty", argv([""])],
  ["empty", shell("")],
  ["environment variable", shell("true", { env: { "A=B": "c" } })],
  ["environment variable", shell("true", { env: { "": "c" } })],
  ["24 days", shell("true", { timeoutMs: 2 ** 31 })],
])("what no system could run is refused: %s (%#)", (message, command) => {
  expect(() => begin(newJobs(), command)).toThrow(
    expect.objectContaining({ code: "InvalidArgument", message: expect.stringContaining(message) }),
  );
});

test.each<[string, Command]>([
  ["arguments", argv(["true", ...Array.from({ length: 20 }, () => "x".repeat(60_000))])],
  ["environment", shell("true", { env: { A: "x".repeat(2 ** 20) } })],
  ["directory", shell("true", { cwd: "x".repeat(5000) })],
  ["stdin", shell("true", { stdin: new Uint8Array(2 ** 20 + 1) })],
])("promise 9: %s over the limit are refused", (_name, command) => {
  expect(() => begin(newJobs(), command)).toThrow(expect.objectContaining({ code: "MessageTooLarge" }));
});
