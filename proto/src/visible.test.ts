import fc from "fast-check";
import { expect, it } from "vitest";
import { visible } from "./visible.ts";

it.each([
  ["uptime", "uptime"],
  ["échos 日本語 🙂", "échos 日本語 🙂"],
  ["a\nb\tc", "a\\nb\\tc"],
  ["a\\nb", "a\\\\nb"],
  ["\u001b[2Jrm", "\\u{1b}[2Jrm"],
  ["safe\u202etxt.exe", "safe\\u{202e}txt.exe"],
  ["zero\u200bwidth", "zero\\u{200b}width"],
  ["line\u2028end", "line\\u{2028}end"],
  ["half \ud83d", "half \\u{d83d}"],
  ["rm /a\u00a0/b", "rm /a\\u{a0}/b"],
  ["wide\u3000space", "wide\\u{3000}space"],
  ["filler\u3164", "filler\\u{3164}"],
  ["selector\ufe01", "selector\\u{fe01}"],
  ["joiner\u034f", "joiner\\u{34f}"],
  ["blank\u2800", "blank\\u{2800}"],
])("%j is shown as %j", (text, shown) => {
  expect(visible(text)).toBe(shown);
});

it("two texts that differ look different, and nothing shown can move a cursor", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (one, other) => {
      expect(visible(one) === visible(other)).toBe(one === other);
      expect(visible(one)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
});
