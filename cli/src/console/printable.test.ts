import { visible } from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printable, printableText } from "./printable.ts";

describe("text from afar", () => {
  it("is shown, never obeyed", () => {
    expect(printable("a\x1b[2J\u202eb\nc")).toBe("a\\u{1b}[2J\\u{202e}b\\nc");
  });

  it("that a machine has made visible already looks the same here", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(printable(visible(text))).toBe(visible(text));
        expect(printable(printable(text))).toBe(printable(text));
      }),
    );
  });

  it("that is to be read keeps lines, tabs, spaces and emoji, and nothing that steers a terminal", () => {
    const text = "\u26a0\ufe0f disk:\t98\u202f%\r\nC:\\temp\u009b2J\u200b";
    expect(printableText(text)).toBe("\u26a0 disk:\t98 %\nC:\\temp\\u{9b}2J\\u{200b}");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (any) => {
        expect(printableText(any)).not.toMatch(/(?![\n\t])[\p{Cc}\p{Cf}]/u);
      }),
    );
  });
});
