import { useHash } from "@cmdop/proto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { describeToolInput, OpenQuestions } from "./open-questions.ts";
import type { RunStreamEvent } from "./types.ts";

const after = 0;
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
  hash: "another",
  expiresAtMs: 7,
  after,
});

it("a question is open until it is answered, its tool has said something, or the run has ended", () => {
  const questions = new OpenQuestions();
  for (const id of ["a", "b", "c"]) for (const event of [called(id), asked(id)]) questions.add(event);
  expect(questions.open).toMatchObject([
    {
      callId: "a",
      tool: "execute",
      input: { command: "a" },
      // The hash is of the input that is shown, whatever the event says.
      hash: useHash("execute", { command: "a" }),
      expiresAtMs: 7,
    },
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
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.constant(" ".repeat(5_000)));
  const any = fc.dictionary(fc.constantFrom("command", "cwd"), text);
  fc.assert(
    fc.property(any, any, (one, other) => {
      const [first, second] = [one, other].map((input) => describeToolInput(input).join("\n"));
      if (first === second) expect(sorted(one)).toEqual(sorted(other));
      expect(first).toMatch(/^(?:[^\p{Cc}\p{Cf}]|\n)*$/u);
    }),
  );
});

it("what is long is shown by both ends, padding is counted, lookalikes are marked and said", () => {
  const lines = describeToolInput({
    command: `ls${" ".repeat(30_000)}; ${"ab".repeat(20_000)} rm -rf \u0430`,
  });
  expect(lines[0]).toMatch(/^command: \([\d,]+ bytes, SHA-256 [0-9a-f]{64}\) ls\\\{␣ × 30,000\}; abab/);
  expect(lines[0]).toMatch(/characters left out …\}[ab]+ rm -rf \\u\{430\}$/);
  expect(lines.slice(1)).toEqual([
    "careful: not all of it is shown",
    expect.stringMatching(/^careful: \\u\{…\} stands for/),
  ]);
});

it("promise 5: the hash of a use tells it from every other, whatever the order of its arguments", () => {
  const values = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 });
  fc.assert(
    fc.property(values, values, (one, other) => {
      const isSame = JSON.stringify(sortedDeep(one)) === JSON.stringify(sortedDeep(other));
      expect(useHash("execute", one) === useHash("execute", other)).toBe(isSame);
    }),
  );
  expect(useHash("a", { x: 1, y: 2 })).toBe(useHash("a", { y: 2, x: 1 }));
  expect(useHash("a", {})).not.toBe(useHash("b", {}));
});

function sortedDeep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedDeep);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, inner]) => [name, "=", sortedDeep(inner)]);
}

function sorted(input: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(input).sort(([one], [other]) => one.localeCompare(other));
}
