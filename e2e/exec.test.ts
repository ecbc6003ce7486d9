import { readFile } from "node:fs/promises";
import path from "node:path";
import { ExecError, type ExecEvent } from "@cmdop/sdk";
import { describe, expect, it } from "vitest";
import { useDoors } from "./support/doors.ts";
import { isAlive, waitUntil } from "./support/wait.ts";

const TEN_MB = 10_000_000;

const doors = useDoors();

describe.each(["relay", "local"] as const)("promise 1, honest outcomes, through the %s door", (door) => {
  const terminal = () => doors.client(door).terminal;

  it.each([
    ["true", { outcome: "exited", exitCode: 0, signal: null }],
    ["exit 137", { outcome: "exited", exitCode: 137, signal: null }],
    ["kill -9 $$", { outcome: "signaled", exitCode: null, signal: "SIGKILL" }],
    ["no-such-command-here", { outcome: "exited", exitCode: 127 }],
    [["no-such-program-here"], { outcome: "failed_to_start", exitCode: null }],
    [["printf", "a b"], { outcome: "exited", exitCode: 0, stdout: "a b" }],
    ["printf out; printf err >&2", { outcome: "exited", stdout: "out", stderr: "err", truncated: false }],
  ])("%j", async (command, expected) => {
    expect(await terminal().execute(command)).toMatchObject(expected);
  });

  it("a missing working directory is failed_to_start and says which", async () => {
    const result = await terminal().execute("true", { cwd: "/no/such/directory" });
    expect(result).toMatchObject({ outcome: "failed_to_start", exitCode: null });
    expect(result.reason).toContain("/no/such/directory");
  });

  it("a NUL in an argument is refused, not cut off", async () => {
    const refused = terminal().execute(["printf", "a\0b"]);
    await expect(refused).rejects.toMatchObject({ code: "InvalidArgument" });
  });

  it("environment, working directory and standard input arrive", async () => {
    const result = await terminal().execute('pwd; printf "%s" "$GREETING"; cat >&2', {
      cwd: "/usr",
      env: { GREETING: "hello" },
      stdin: "typed",
    });
    expect(result).toMatchObject({ stdout: "/usr\nhello", stderr: "typed", exitCode: 0 });
  });

  it("nothing of cmdop's own is in a command's environment but its job id", async () => {
    const { stdout } = await terminal().execute("env");
    const ours = stdout.split("\n").filter((line) => line.startsWith("CMDOP_"));
    expect(ours.filter((line) => !line.startsWith("CMDOP_JOB_MARK="))).toEqual([]);
  });

  it("a large standard input is streamed whole", async () => {
    const bytes = Buffer.alloc(TEN_MB, "0123456789\n");
    const result = await terminal().execute("sha256sum", { stdin: bytes });
    const digest = await crypto.subtle.digest("SHA-256", bytes);
    expect(result.stdout).toContain(Buffer.from(digest).toString("hex"));
  });

  it("a standard input whose source fails ends the command and throws what the source threw", async () => {
    const failing = async function* () {
      yield "first\n";
      throw new Error("the source broke");
    };
    const marker = `cat -u - /dev/null --${door}`;
    await expect(terminal().execute(["sh", "-c", "cat", marker], { stdin: failing() })).rejects.toThrow(
      "the source broke",
    );
    expect((await terminal().execute(["pgrep", "-f", "--", marker])).exitCode).toBe(1);
  });

  it("promise 2: a job started twice reads its streamed input once", async () => {
    const jobId = crypto.randomUUID();
    const both = await Promise.all(
      [1, 2].map(() => terminal().execute("wc -c", { jobId, stdin: Buffer.alloc(2_000_000, "x") })),
    );
    expect(both.map(({ stdout }) => stdout.trim())).toEqual(["2000000", "2000000"]);
  });

  it("a second viewer that reads nothing holds nobody up", async () => {
    const jobId = crypto.randomUUID();
    const command = "sleep 0.3; head -c 60000000 /dev/zero";
    const starter = terminal().execute(command, { jobId });
    const viewer = terminal().stream(command, { jobId });
    await viewer.next();
    expect((await starter).stdoutBytes.length).toBe(60_000_000);
    await viewer.return();
  });

  it("ends at its time limit also when it ignores SIGTERM", async () => {
    const result = await terminal().execute("trap '' TERM; echo up; sleep 60 & wait; sleep 60", {
      timeoutMs: 300,
    });
    expect(result).toMatchObject({ outcome: "timed_out", exitCode: null, stdout: "up\n" });
  });

  it("an AbortSignal cancels it, leaves no process and gives the outcome", async () => {
    const stop = new AbortController();
    const events: ExecEvent[] = [];
    for await (const event of terminal().stream("echo $$; sleep 61.7 & wait", { signal: stop.signal })) {
      events.push(event);
      if (event.type === "stdout") stop.abort();
    }
    expect(events.at(-1)).toMatchObject({ type: "ended", outcome: "canceled", exitCode: null });
    const started = events.find((event) => event.type === "started");
    await waitUntil(() => !isAlive(started?.pid ?? 0));
  });

  it("a background child that holds the pipes does not hold the call", async () => {
    const result = await terminal().execute("echo begun; sleep 3 & exit 4");
    expect(result).toMatchObject({ outcome: "exited", exitCode: 4, stdout: "begun\n" });
  });

  it("binary output and invalid UTF-8 arrive byte for byte", async () => {
    const result = await terminal().execute("printf '\\377\\000\\200abc'");
    expect([...result.stdoutBytes]).toEqual([0xff, 0x00, 0x80, 0x61, 0x62, 0x63]);
    expect(result.stdout).toBe("\uFFFD\0\uFFFDabc");
  });

  it("10 MB on stdout and 10 MB on stderr at once arrive whole, separate and in order", async () => {
    const count = TEN_MB / 10;
    const line = (prefix: string) => `seq -f '${prefix}%08.0f' ${count}`;
    const result = await terminal().execute(`${line("o")} & ${line("e")} >&2 & wait`);
    expect(result.truncated).toBe(false);
    for (const [output, prefix] of [
      [result.stdoutBytes, "o"],
      [result.stderrBytes, "e"],
    ] as const) {
      expect(output.length).toBe(count * 10);
      expect(firstLineOutOfOrder(Buffer.from(output).toString("latin1"), prefix)).toBe(undefined);
    }
  });

  it("keeps what fits in maxOutputBytes and counts the rest", async () => {
    const result = await terminal().execute("printf 0123456789", { maxOutputBytes: 4 });
    expect(result).toMatchObject({
      stdout: "0123",
      truncated: { overLimitBytes: 6, droppedByMachineBytes: 0 },
    });
  });

  it("check: true throws an ExecError with all that the result has", async () => {
    const failed = await terminal()
      .execute("echo no >&2; exit 5", { check: true })
      .catch((thrown: unknown) => thrown);
    expect(failed).toBeInstanceOf(ExecError);
    expect(failed).toMatchObject({ exitCode: 5, stderr: "no\n", outcome: "exited" });
  });

  it("promise 4: a job outlives a caller that stops reading", async () => {
    const witness = path.join(doors.cluster().directory, `outlives-${door}`);
    for await (const event of terminal().stream(`sleep 0.3; echo done > ${witness}`)) {
      if (event.type === "started") break;
    }
    await waitUntil(async () => (await readFile(witness, "utf8").catch(() => "")) === "done\n");
  });

  it("promise 2: the same job id runs once, and the second caller sees the same end", async () => {
    const jobId = crypto.randomUUID();
    const counter = path.join(doors.cluster().directory, `counter-${door}`);
    const command = `echo run >> ${counter}; sleep 0.2; exit 6`;
    const both = await Promise.all([1, 2].map(() => terminal().execute(command, { jobId })));
    expect(both.map(({ exitCode }) => exitCode)).toEqual([6, 6]);
    expect(await readFile(counter, "utf8")).toBe("run\n");
    await expect(terminal().execute("another", { jobId })).rejects.toMatchObject({ code: "JobConflict" });
  });
});

function firstLineOutOfOrder(text: string, prefix: string): string | undefined {
  return text
    .trimEnd()
    .split("\n")
    .find((line, index) => line !== `${prefix}${String(index + 1).padStart(8, "0")}`);
}
