import { create } from "@bufbuild/protobuf";
import { OutcomeKind, OutcomeSchema } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { Collected } from "./collect.ts";
import { execEnd } from "./events.ts";
import { describeEnd, ExecError } from "./exec-error.ts";
import type { ExecEvent } from "./types.ts";

const end: ExecEvent = {
  type: "ended",
  jobId: "j",
  outcome: "exited",
  exitCode: 0,
  signal: null,
  reason: "",
  durationMs: 1,
};

async function collect(events: AsyncIterable<ExecEvent>, maxOutputBytes: number) {
  const collected = new Collected(maxOutputBytes);
  await collected.read(events);
  return collected.result();
}
async function* events(...list: ExecEvent[]) {
  yield* list;
}
const output = (type: "stdout" | "stderr", text: string): ExecEvent => ({
  type,
  data: Buffer.from(text),
  offset: 0,
});

describe("a result is made of a job's events", () => {
  it("keeps the channels apart and whole", async () => {
    const result = await collect(
      events(output("stdout", "a"), output("stderr", "b"), output("stdout", "c"), end),
      100,
    );
    expect(result).toMatchObject({ stdout: "ac", stderr: "b", truncated: false, exitCode: 0 });
  });

  it("a character cut in two by a chunk's end is still one character", async () => {
    const bytes = Buffer.from("é");
    const halves = [0, 1].map(
      (at): ExecEvent => ({ type: "stdout", data: bytes.subarray(at, at + 1), offset: at }),
    );
    expect((await collect(events(...halves, end), 100)).stdout).toBe("é");
  });

  it("promise 3: counts what the limit and the machine dropped", async () => {
    const dropped: ExecEvent = { type: "dropped", bytes: 7, offset: 3 };
    const result = await collect(events(output("stdout", "abc"), dropped, output("stderr", "defg"), end), 5);
    expect(result).toMatchObject({ stdout: "abc", stderr: "de" });
    expect(result.truncated).toEqual({ overLimitBytes: 2, droppedByMachineBytes: 7 });
  });

  it("events that break off are never a result", async () => {
    await expect(collect(events(output("stdout", "a")), 5)).rejects.toThrow("without its end");
  });
});

describe("promise 1: an outcome that is not complete is unknown, never a success", () => {
  it.each([
    ["no outcome", undefined],
    ["a kind that this version does not know", create(OutcomeSchema, { kind: OutcomeKind.UNSPECIFIED })],
    ["exited without a code", create(OutcomeSchema, { kind: OutcomeKind.EXITED })],
  ])("%s", (_title, outcome) => {
    expect(execEnd("j", outcome)).toMatchObject({ outcome: "unknown", exitCode: null });
  });

  it("a code that comes with another kind is not shown", () => {
    const outcome = create(OutcomeSchema, { kind: OutcomeKind.TIMED_OUT, exitCode: 0, signal: "SIGTERM" });
    expect(execEnd("j", outcome)).toMatchObject({ outcome: "timed_out", exitCode: null, signal: "SIGTERM" });
  });
});

describe("ExecError", () => {
  it("says what failed and quotes the end of stderr", async () => {
    const failed: ExecEvent = { ...end, type: "ended", exitCode: 3 };
    const result = await collect(events(output("stderr", `${"x".repeat(2_000)}\nlast words\n`), failed), 1e6);
    const error = new ExecError(["make", "all"], result);
    expect(error.message).toMatch(/^"make all" exited with 3\n/);
    expect(error.message.endsWith("last words")).toBe(true);
    expect(error.message.length).toBeLessThan(600);
  });

  it.each([
    [{ outcome: "signaled", signal: "SIGKILL" }, "was ended by SIGKILL"],
    [{ outcome: "failed_to_start", reason: "no such program" }, "failed to start: no such program"],
    [
      { outcome: "canceled", reason: "The machine's agent was shut down." },
      "was canceled: The machine's agent was shut down",
    ],
    [{ outcome: "unknown", reason: "the line broke" }, "has an unknown outcome: the line broke"],
  ] as const)("describes %j", (part, text) => {
    expect(describeEnd({ exitCode: null, signal: null, reason: "", ...part })).toBe(text);
  });
});
