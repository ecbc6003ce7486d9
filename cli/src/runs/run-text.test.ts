import type { RunStreamEvent } from "@cmdop/sdk";
import fc from "fast-check";
import { expect, it } from "vitest";
import { answerText, RunProgress } from "./run-text.ts";

const after = 0;
const text = (said: string): RunStreamEvent => ({ type: "text", text: said, after });
const call: RunStreamEvent = {
  type: "tool_call",
  callId: "1",
  tool: "execute",
  input: { command: "df" },
  after,
};

/** Returns all lines of the events. */
function lines(...events: readonly RunStreamEvent[]): string {
  const progress = new RunProgress();
  return events.map((event) => progress.add(event)).join("");
}

it("what the model says before it uses a tool is a line; what was void is not", () => {
  const retry: RunStreamEvent = { type: "retry", reason: "429", pauseMs: 5, after };
  expect(lines(text("no"), retry, text("I "), text("look.\n"), call, call)).toBe(
    'the model is called again in 5 ms: 429\nI look.\n> execute {"command":"df"}\n> execute {"command":"df"}\n',
  );
  expect(lines(text("The answer."), { type: "step", step: 2, after }, call)).toBe(
    '> execute {"command":"df"}\n',
  );
});

it("promise 9: whatever models and tools say, an event is one line that steers nothing", () => {
  const any = fc.string({ unit: "binary", maxLength: 400 });
  fc.assert(
    fc.property(any, any, any, (tool, output, report) => {
      const all = [
        lines({ type: "tool_result", callId: "1", tool, ok: true, output, after }),
        lines({ type: "tool_call", callId: "1", tool, input: { output }, after }),
        lines({ type: "plan", steps: [output, report], after }),
        lines({ type: "plan_step", number: 1, state: "failed", report, after }),
        lines({ type: "choice", agentType: "chat", reason: report, after }),
        lines({ type: "approval", callId: "1", tool, approvalId: output, expiresAtMs: Number.NaN, after }),
      ];
      for (const line of all) expect(line).toMatch(/^[^\p{Cc}\p{Cf}]*\n$/u);
    }),
  );
});

it("an answer in words ends with one newline, a typed one is JSON", () => {
  expect(answerText("one\ntwo\n\n")).toBe("one\ntwo\n");
  expect(answerText({ a: 1 })).toBe('{"a":1}\n');
});
