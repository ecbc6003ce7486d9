import { describe, expect, it } from "vitest";
import { HiddenLine } from "./hidden-line.ts";

function typed(...chunks: readonly string[]): HiddenLine {
  const line = new HiddenLine(12);
  for (const chunk of chunks) line.type(Buffer.from(chunk));
  return line;
}

describe("a hidden line", () => {
  it.each([
    ["ends with Enter", ["sec", "ret\r"], "secret"],
    ["ends with a line feed, as pasted text does, and takes nothing behind it", ["secret\nmore"], "secret"],
    ["loses a whole character to Backspace", ["caf\u00e9\x7fe\r"], "cafe"],
    ["stays empty under Backspace", ["\x7f\bx\r"], "x"],
    ["begins anew with Ctrl-U", ["wrong\x15right\r"], "right"],
    ["is bounded", [`${"x".repeat(1000)}\r`], "x".repeat(12)],
  ])("%s", (_title, chunks, text) => {
    const line = typed(...chunks);
    expect(line).toMatchObject({ isDone: true, isCanceled: false, text });
  });

  it.each(["\x03", "\x04"])("is left with %j", (key) => {
    expect(typed("half", key, "\r")).toMatchObject({ isDone: false, isCanceled: true });
  });
});
