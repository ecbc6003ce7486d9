import fc from "fast-check";
import { expect, it } from "vitest";
import { describeToolInput, OpenQuestions } from "./open-questions.ts";
import type { RunStreamEvent } from "./types.ts";

const after = 0n;
const called = (callId: string): RunStreamEvent => ({
  type: "tool_call",
  callId,
  tool: "execute",
  input: { command: callId },
  after,
});
const asked = (callId: string): RunStreamEvent => ({
  type: "asked",
  callId,
  tool: "execute",
  expiresAtMs: 7,
  after,
});

it("a question is open until it is answered, its tool has said something, or the run has ended", () => {
  const questions = new OpenQuestions();
  for (const id of ["a", "b", "c"]) for (const event of [called(id), asked(id)]) questions.add(event);
  expect(questions.open).toMatchObject([
    { callId: "a", tool: "execute", input: { command: "a" }, expiresAtMs: 7 },
    { callId: "b" },
    { callId: "c" },
  ]);
  questions.add({ type: "answered", callId: "b", approved: true, reason: "", after });
  questions.add({ type: "tool_result", callId: "a", tool: "execute", ok: false, output: "silence", after });
  expect(questions.open.map(({ callId }) => callId)).toEqual(["c"]);
  const ended = { runId: "r", outcome: "canceled", reason: "", durationMs: 1 } as const;
  questions.add({ type: "ended", after, ...ended });
  expect(questions.open).toEqual([]);
});

it("the longest argument comes first, so that none pushes another out of sight", () => {
  expect(describeToolInput({ path: "/etc/hosts", content: "a\nb\n".repeat(9), all: true })).toEqual([
    `content: ${"a\\nb\\n".repeat(9)}`,
    "path: /etc/hosts",
    "all: true",
  ]);
});

it("promise 10: two uses that differ look different, and neither steers a terminal", () => {
  const any = fc.dictionary(fc.constantFrom("command", "cwd"), fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(any, any, (one, other) => {
      const [first, second] = [one, other].map((input) => describeToolInput(input).join("\n"));
      if (first === second) expect(sorted(one)).toEqual(sorted(other));
      expect(first).toMatch(/^(?:[^\p{Cc}\p{Cf}]|\n)*$/u);
    }),
  );
});

function sorted(input: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(input).sort(([one], [other]) => one.localeCompare(other));
}
