import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Piece, ThoughtSplitter, withoutThoughts } from "./thoughts.ts";

/** Splits an answer that comes in pieces of one size. */
function split(answer: string, size = answer.length): { text: string; thought: string; pieces: Piece[] } {
  const splitter = new ThoughtSplitter();
  const pieces: Piece[] = [];
  for (let at = 0; at < answer.length; at += size) pieces.push(...splitter.push(answer.slice(at, at + size)));
  pieces.push(...splitter.end());
  const all = (kind: Piece["kind"]): string =>
    pieces.map((piece) => (piece.kind === kind ? piece.text : "")).join("");
  return { text: all("text"), thought: all("thought"), pieces };
}

const ANSWERS: readonly (readonly [string, string, string, string])[] = [
  ["DeepSeek, Qwen", "<think>\nhm, 5?\n</think>\n\nFive.", "Five.", "\nhm, 5?\n"],
  ["an empty thought", "<think>\n\n</think>\n\nFive.", "Five.", "\n\n"],
  ["several thoughts", "<think>a</think>\n<THINK>b</THINK>Five.", "Five.", "ab"],
  ["other elements", "<reasoning>a</reasoning><thought>b</thought>Five.", "Five.", "ab"],
  ["Magistral", "[THINK]hm[/THINK]Five.", "Five.", "hm"],
  [
    "gpt-oss",
    "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Five.<|return|>",
    "Five.",
    "hm",
  ],
  [
    "gpt-oss without its ends",
    "<|channel|>analysis<|message|>hm<|start|>assistant<|channel|>final<|message|>Five.",
    "Five.",
    "hm",
  ],
  ["Cohere", "<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Five.<|END_RESPONSE|>", "Five.", "hm"],
  ["an answer in an element", "<think>hm</think>\n<answer>Five.</answer>", "Five.", "hm"],
  ["a byte order mark before it", "\ufeff\n <think>hm</think>Five.", "Five.", "hm"],
  ["a thought that never ends", "<think>hm, 5 or 6", "", "hm, 5 or 6"],
  ["a tag in a thought", "<think>a <think> b</think>Five.", "Five.", "a <think> b"],
  [
    "an answer about tags",
    "Put it between <think> and </think>, as here: <think>x</think>.",
    "Put it between <think> and </think>, as here: <think>x</think>.",
    "",
  ],
  [
    "an answer about them behind a thought",
    "<think>hm</think>Use <think>x</think>.\n</think>\n",
    "Use <think>x</think>.\n</think>\n",
    "hm",
  ],
  ["an answer in code", "So:\n```html\n<b>\n</think>\n```\n", "So:\n```html\n<b>\n</think>\n```\n", ""],
  ["quoted tags", 'It ends with `</think>`, not "</think>".', 'It ends with `</think>`, not "</think>".', ""],
  ["HTML", "<thead><tr></tr></thead>", "<thead><tr></tr></thead>", ""],
  ["the beginning of a tag", "<thi", "<thi", ""],
  ["white space", "\n  Five.\n", "\n  Five.\n", ""],
];

describe.each(ANSWERS)("%s", (_what, answer, text, thought) => {
  it("is read as a person would, in whatever pieces it comes", () => {
    for (const size of [1, 2, 3, 7, answer.length]) {
      const found = split(answer, size);
      expect([found.text, found.thought]).toEqual([text, thought]);
    }
    expect(withoutThoughts(answer)).toBe(text);
  });
});

describe("an end without its beginning", () => {
  it.each([
    ["on a line of its own", "Let me see.\n</think>\n\nFive."],
    ["right behind the last word", "Let me see.</think>Five."],
  ])("%s revokes what was given out", (_how, answer) => {
    for (const size of [1, 5, answer.length]) {
      const { pieces } = split(answer, size);
      const revoked = pieces.findIndex(({ kind }) => kind === "revoked");
      const after = pieces.slice(revoked + 1);
      expect(revoked).toBeGreaterThan(0);
      expect(after.map(({ text }) => text).join("")).toBe("Five.");
    }
    expect(withoutThoughts(answer)).toBe("Five.");
  });

  it("is waited for where a model is known for it: nothing has to be revoked then", () => {
    const splitter = new ThoughtSplitter(true);
    expect(splitter.push("Let me see.")).toEqual([]);
    expect(splitter.push("\n</think>\n\nFive.")).toEqual([
      { kind: "thought", text: "Let me see.\n" },
      { kind: "text", text: "Five." },
    ]);
    const plain = new ThoughtSplitter(true);
    expect([...plain.push("Five."), ...plain.end()]).toEqual([{ kind: "text", text: "Five." }]);
  });

  it("is waited for, and an answer about such tags is still whole", () => {
    const answer = "Use it so:\n```\n<think>x</think>\n```\nend";
    const about = new ThoughtSplitter(true);
    const pieces = [...about.push(answer), ...about.end()];
    expect(pieces.map(({ kind }) => kind)).not.toContain("thought");
    expect(pieces.map(({ text }) => text).join("")).toBe(answer);
  });
});

it("no text is lost, and none without a tag is changed", () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 9 }), (text, size) => {
      fc.pre(!/[<[◁]/.test(text) && text.trim() !== "");
      expect(split(text, size).text).toBe(text);
    }),
  );
});
