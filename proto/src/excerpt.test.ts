import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { excerpt } from "./excerpt.ts";

const MOST = 400;
const shown = (content: string | Uint8Array, most = MOST): string => excerpt(content, most).shown;

describe("what a person decides by", () => {
  it.each([
    ["plain text stays", "sudo rm -rf /tmp/x --force", "sudo rm -rf /tmp/x --force"],
    ["indentation stays", "if x:\n        y", "if x:\\n        y"],
    ["spaces are counted", `ls${" ".repeat(3_000)}; rm`, "ls\\{␣ × 3,000}; rm"],
    ["newlines are counted", `ls${"\n".repeat(500)}; rm`, "ls\\{\\n × 500}; rm"],
    ["any character is counted", `#${"=".repeat(40)}`, "#\\{= × 40}"],
    ["what looks like a count is none", "ls\\{␣ × 3}", "ls\\\\{\\u{2423} × 3}"],
    ["spaces at the ends are seen", " ls ", "\\u{20}ls\\u{20}"],
    ["a Cyrillic letter among Latin ones", "p\u0430ypal", "p\\u{430}ypal"],
    ["a Latin letter makes a word Latin", "\u0440\u0430y", "\\u{440}\\u{430}y"],
    ["a word that only looks Latin", "rm \u0440\u0430\u0443", "rm \\u{440}\\u{430}\\u{443}"],
    ["even where no other word is Latin", "\u0440\u0430\u0443", "\\u{440}\\u{430}\\u{443}"],
    ["a Greek one", "g\u03bfogle", "g\\u{3bf}ogle"],
    ["full width", "\uff52\uff4d -rf", "\\u{ff52}\\u{ff4d} -rf"],
    ["mathematical letters", "\u{1d42b}\u{1d426} -rf", "\\u{1d42b}\\u{1d426} -rf"],
    ["a dotless i", "g\u0131thub.com", "g\\u{131}thub.com"],
    ["curly quotes quote nothing", "echo \u2018; rm x\u2019", "echo \\u{2018}; rm x\\u{2019}"],
    ["a slash that is none", "a\u2215b", "a\\u{2215}b"],
    ["a letter beside right-to-left ones", "rm /\u05d0/b", "rm /\\u{5d0}/b"],
    ["a loose mark", "e\u0301", "e\\u{301}"],
    ["marks in heaps", `\u0915${"\u093f".repeat(6)}`, "\u0915\u093f\u093f\u093f\u093f\\u{93f}\\u{93f}"],
    ["another way to write the same", "\u212b", "\\u{212b}"],
    ["zero width and tags", "a\u200bb\u{e0041}", "a\\u{200b}b\\u{e0041}"],
    ["direction", "a\u202eb", "a\\u{202e}b"],
  ])("%s: %j", (_, text, expected) => {
    expect(shown(text)).toBe(expected);
  });

  it.each([
    "Проверь, почему диск полон",
    "echo привет",
    "磁盘为什么满了？请检查 nginx 的日志。",
    "ディスクがいっぱいです",
    "디스크가 꽉 찼습니다",
    "למה הדיסק מלא",
    "لماذا القرص ممتلئ؟",
    "डिस्क क्यों भरी है",
    "ทำไมดิสก์เต็ม",
    "Γιατί γέμισε ο δίσκος",
    "Für Größe, l'été à São Paulo",
  ])("stays readable: %s", (text) => {
    expect(shown(text)).toBe(text);
  });

  it("says whether anything is marked, or left out", () => {
    expect(excerpt("ls", MOST)).toMatchObject({ isWhole: true, hasMarks: false });
    expect(excerpt("l\u0455", MOST)).toMatchObject({ isWhole: true, hasMarks: true });
    expect(excerpt("ab ".repeat(200), MOST)).toMatchObject({ isWhole: false, hasMarks: false });
  });

  it.each([
    ["text", (text: string) => text, "characters"],
    ["bytes", (text: string) => Buffer.from(text), "bytes"],
  ])("of long %s both ends are shown, with what is between them counted", (_, made, noun) => {
    for (const length of [1_000, 30_000, 1_000_000]) {
      const padding = "abcdefghij".repeat(length / 10);
      const text = shown(made(`begin ${padding} rm -rf /`));
      expect(text).toMatch(/^begin abc.*hij rm -rf \/$/);
      const [head = "", note = "", tail = ""] = text.split(/\\\{… | left out …\}/);
      expect(note).toBe(`${(length + 15 - head.length - tail.length).toLocaleString("en-US")} ${noun}`);
      expect(text.length).toBeLessThanOrEqual(MOST);
    }
  });

  it("bytes that are no text are in hexadecimal", () => {
    expect(shown(Buffer.from([0xff, 0]))).toBe("hexadecimal ff00");
    expect(shown(Buffer.alloc(1_000, 0xfe))).toMatch(
      /^hexadecimal (fe)+\\\{… [\d,]+ bytes left out …\}(fe)+$/,
    );
  });

  it("characters at the edges of what is looked at stay whole", () => {
    for (const pad of ["", "a", "ab", "abc"]) {
      const text = pad + "🙂é".repeat(40_000);
      for (const content of [text, Buffer.from(text)]) {
        expect(shown(content)).not.toContain("\\u{d");
        expect(shown(content)).not.toContain("\ufffd");
      }
    }
  });

  const texts = fc.oneof(
    fc.string({ unit: "binary", maxLength: 500 }),
    fc.string({ unit: fc.constantFrom(" ", "\n", "\\", "{", "a", "\u0430", "×", "…"), maxLength: 2_000 }),
  );

  it("whatever it is: bounded, on one line, without controls, and with its ends", () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 100, max: 1_000 }), (text, most) => {
        const { shown: line, isWhole } = excerpt(text, most);
        expect(line.length).toBeLessThanOrEqual(most);
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        if (!isWhole) expect(line).toMatch(/.\\\{… [\d,]+ characters left out …\}./);
      }),
    );
  });

  it("two whole texts that differ look different", () => {
    fc.assert(
      fc.property(texts, texts, (one, other) => {
        expect(shown(one, 100_000) === shown(other, 100_000)).toBe(one === other);
      }),
    );
  });
});
