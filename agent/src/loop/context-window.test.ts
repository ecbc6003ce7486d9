import type { ModelMessage } from "ai";
import { expect, it } from "vitest";
import { shortenOldOutput } from "./context-window.ts";
import { LOOP_LIMITS } from "./limits.ts";

const asked = (content: string): ModelMessage => ({ role: "user", content });
const said = (value: string): ModelMessage => ({
  role: "tool",
  content: [{ type: "tool-result", toolCallId: "1", toolName: "execute", output: { type: "text", value } }],
});

it("leaves a conversation alone that is short enough", () => {
  const messages = [asked("go"), said("x".repeat(1_000)), said("y".repeat(1_000))];
  const before = structuredClone(messages);
  expect(shortenOldOutput(messages, 10_000)).toBe(0);
  expect(messages).toEqual(before);
});

it("takes the oldest output out first, says so, and never what was asked nor the newest output", () => {
  const messages = [
    asked("q".repeat(3_000)),
    said("a".repeat(5_000)),
    said("b".repeat(5_000)),
    said("c".repeat(5_000)),
  ];
  expect(shortenOldOutput(messages, 14_500)).toBeGreaterThan(4_000);
  const texts = messages.map((message) => JSON.stringify(message.content));
  expect(texts[0]).toContain("q".repeat(3_000));
  expect(texts[1]).toMatch(new RegExp(`"a{${LOOP_LIMITS.keptToolCharacters}}\\\\n\\[4500 more characters`));
  expect(texts[2]).toContain("b".repeat(5_000));
  expect(shortenOldOutput(messages, 0)).toBeGreaterThan(4_000);
  expect(JSON.stringify(messages[3])).toContain("c".repeat(5_000));
  // Output that is short already is not shortened again.
  expect(shortenOldOutput(messages, 0)).toBe(0);
});
