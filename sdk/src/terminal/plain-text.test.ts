import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PlainText, SEARCHED_BYTES } from "./plain-text.ts";
import { find } from "./wait-for.ts";

function plainOf(text: string, base = 0n): PlainText {
  const plain = new PlainText(base);
  plain.add(base, Buffer.from(text));
  return plain;
}

describe("the text of a terminal's bytes", () => {
  it.each([
    ["colors", "\x1b[1;32mok\x1b[0m done", "ok done"],
    ["a title", "\x1b]0;user@host: ~\x07$ ", "$ "],
    ["a title that ends with ST", "\x1b]2;title\x1b\\$ ", "$ "],
    ["a device control string", "a\x1bPq#0;2\x1b\\b", "ab"],
    ["character sets and modes", "\x1b(B\x1b[?2004h\x1b=$ \x1b[?25l", "$ "],
    ["a bell and a backspace", "a\x07b\bc", "abc"],
    ["line ends of a terminal", "one\r\n\r\ntwo\n", "one\n\ntwo\n"],
    ["a doubled carriage return", "one\r\r\ntwo", "one\ntwo"],
    ["a progress bar", "10%\r20%\r30%\r\n", "10%\n20%\n30%\n"],
    ["what bash writes after Enter", "ls\r\n\x1b[?2004l\rfile\r\n", "ls\nfile\n"],
    ["a sequence that was broken off", "a\x1b[3\x18b", "ab"],
    ["a sequence within a string", "a\x1b]0;x\x1b[0mb", "ab"],
    ["tabs and other scripts", "größe\t日本 🚀", "größe\t日本 🚀"],
  ])("%s", (_what, bytes, text) => {
    expect(plainOf(bytes).text).toBe(text);
  });

  it("is the same wherever the bytes are cut", () => {
    const bits = fc.constantFrom(
      "a",
      "é",
      "🚀",
      "\r",
      "\n",
      "\r\n",
      "\x1b",
      "[",
      "]",
      "0;1m",
      "\x07",
      "\x1b\\",
      "\x1b[0m",
    );
    fc.assert(
      fc.property(
        fc.array(bits, { maxLength: 40 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 5 })),
        (parts, sizes) => {
          const bytes = Buffer.from(parts.join(""));
          const cut = new PlainText(7n);
          for (let from = 0; from < bytes.length; ) {
            const size = sizes.next().value ?? 1;
            cut.add(7n + BigInt(from), bytes.subarray(from, from + size));
            from += size;
          }
          expect(cut.text).toBe(plainOf(bytes.toString()).text);
        },
      ),
    );
  });

  it("a character whose end is missing is not in it yet", () => {
    const plain = new PlainText(0n);
    const [first = 0, second = 0] = Buffer.from("é");
    plain.add(0n, Uint8Array.of(0x61, first));
    expect(plain.text).toBe("a");
    plain.add(2n, Uint8Array.of(second));
    expect(plain.text).toBe("aé");
  });

  it("promise 9: keeps the newest bytes, within its bound", () => {
    const plain = new PlainText(0n);
    const line = Buffer.from("0123456789abcde\n".repeat(4096));
    for (let offset = 0; offset < 4 * SEARCHED_BYTES; offset += line.length) plain.add(BigInt(offset), line);
    plain.add(BigInt(4 * SEARCHED_BYTES), Buffer.from("the end"));
    expect(plain.text.endsWith("\nthe end")).toBe(true);
    expect(plain.text.length).toBeGreaterThanOrEqual(SEARCHED_BYTES);
    expect(plain.text.length).toBeLessThanOrEqual(2 * SEARCHED_BYTES);
    expect(plain.offsetAfter(plain.text.length)).toBe(BigInt(4 * SEARCHED_BYTES + 7));
  });
});

describe("a match", () => {
  it("says what matched, what its groups captured, and what came before", () => {
    expect(find(plainOf("started\r\npid 42\r\n$ "), /pid (\d+)/)?.result).toEqual({
      text: "pid 42",
      groups: ["42"],
      before: "started\n",
    });
  });

  it("a string is taken as it is written", () => {
    expect(find(plainOf("a+b (c)"), "+b (c)")?.result).toEqual({ text: "+b (c)", groups: [], before: "a" });
    expect(find(plainOf("aab c"), "+b (c)")).toBeUndefined();
  });

  it("a pattern with g is searched from the beginning each time", () => {
    const pattern = /x/g;
    expect([find(plainOf("x"), pattern), find(plainOf("x"), pattern)]).not.toContain(undefined);
  });

  it.each([
    ["behind escapes", "\x1b[1mready\x1b[0m$ ", /ready/, 9n],
    ["behind a line end of two bytes", "ready\r\n$ ", /ready\n/, 7n],
    ["behind characters of several bytes", "größe 🚀!", /🚀/, 12n],
    ["behind bytes that are no UTF-8", "\x80", /./, 2n],
    ["where nothing matched but a place", "abc", /(?=a)/, 0n],
  ])("ends in the journal %s", (_where, text, pattern, length) => {
    expect(find(plainOf(text, 1000n), pattern)?.offset).toBe(1000n + length);
  });
});
