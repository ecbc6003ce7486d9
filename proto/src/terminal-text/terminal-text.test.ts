import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { TerminalText } from "./terminal-text.ts";

const MAX = 4_096;

const advice = (offset: number): string => `read it from ${offset}`;

function outputOf(pieces: readonly Uint8Array[], maxCharacters = MAX): TerminalText {
  const output = new TerminalText({ maxCharacters, advice });
  for (const piece of pieces) output.add(piece);
  return output;
}

const shown = (text: string, maxCharacters = MAX): string =>
  outputOf([Buffer.from(text)], maxCharacters).text();

function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

test.each([
  ["plain text", "a\n\n  b\tc  \n\nd", "a\n\n  b\tc  \n\nd"],
  ["line ends of Windows", "a\r\nb\r\n", "a\nb\n"],
  ["colours", "\x1b[1;31mred\x1b[0m \x1b[38:2::1:2:3mmore\x1b[m\n", "red more\n"],
  ["colours with eight-bit controls", "\x9b31mred\x9b0m\n", "red\n"],
  ["a title and a link", "\x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "link\n"],
  ["a picture", "\x1bPq#0;2;0;0;0~~\x1b\\done\n", "done\n"],
  ["other strings", "\x1b_x\x1b\\\x1b^x\x1b\\\x1bXx\x1b\\done\n", "done\n"],
  [
    "character sets and modes",
    "\x1b(B\x1b)0\x1b%G\x1b#8\x1b=\x1b>\x1b[?25l\x1b[?2004hdone\x1b[?25h\n",
    "done\n",
  ],
  ["bells and fillers", "a\x07b\0c\x7fd\x0e\x0f\n", "abcd\n"],
  ["a bar of progress", "  0%\r 50%\r100%\ndone\n", "100%\ndone\n"],
  ["a longer state below a shorter one", "loading\rok\n", "okading\n"],
  ["one that clears its line", "loading\r\x1b[Kok\nloading\r\x1b[2Kok\n", "ok\nok\n"],
  ["one that is wiped with spaces", "loading\r       \rok\n", "ok\n"],
  ["backspaces of a spinner", "work |\b/\b-\b\\\bdone\n", "work done\n"],
  ["overstruck bold and underlined", "N\bNA\bA_\bx\n", "NAx\n"],
  ["lines drawn again from below", "a 1%\nb 1%\n\x1b[2A\x1b[2Ka 9%\n\x1b[2Kb 9%\n", "a 9%\nb 9%\n"],
  ["columns", "\x1b[5Gx\x1b[1Gy\x1b[3Cz\n", "y   z\n"],
  ["what was wiped below", "a\nb\nc\n\x1b[2A\x1b[Jd\n", "a\nd\n"],
  ["a screen that is drawn", "\x1b[?1049h\x1b[2J\x1b[Htop\x1b[5;3Hlow\x1b[?1049l\n", "top\n  low\n"],
  ["two bytes that would hide the rest", "seen\x1b]\nand this\n", "seen\nand this\n"],
  ["a sequence without its end", "seen\x1b[31", "seen"],
  ["a sequence that a newline breaks", "a\x1b[3\nb\n", "a\nb\n"],
  [
    "text that was decoded as Latin-1",
    "\u00e2\u0080\u009cquoted\u00e2\u0080\u009d ok\n",
    "\u00e2quoted\u00e2 ok\n",
  ],
  ["characters of more than one unit, drawn over", "🦀🦀🦀\r🐢\n", "🐢🦀🦀\n"],
])("%s: %j", (_what, text, expected) => {
  expect(shown(text)).toBe(expected);
});

describe("lines that come again", () => {
  it("are counted where that is shorter", () => {
    expect(shown(`start\n${"connection refused\n".repeat(813)}end\n`)).toBe(
      "start\nconnection refused\n[the line above, 812 more times]\nend\n",
    );
    expect(shown("x\nx\nx\n")).toBe("x\nx\nx\n");
  });

  it("also where there are millions, and where all else is too much", () => {
    const few = Array.from({ length: 2_000 }, (_, index) => `line ${index}`).join("\n");
    const text = shown(`${few}\n${"y\n".repeat(1_000_000)}end`);
    expect(text).toMatch(/^line 0\n[\s\S]* left out[\s\S]*\ny\n\[the line above, 999999 more times]\nend$/);
  });
});

describe("what is too much", () => {
  const lines = Array.from({ length: 5_000 }, (_, index) => `${index} ${"·".repeat(index % 7)}`);
  const text = `${lines.join("\n")}\n`;

  it("is left out behind the beginning, counted, with how to read it", () => {
    const output = outputOf(pieces(Buffer.from(text), 1_000));
    const found =
      /^([\s\S]*\n)\[… (\d+) bytes in (\d+) lines left out: read it from (\d+) …\]\n([\s\S]*)$/.exec(
        output.text(),
      );
    const [, first = "", bytes = "", count = "", offset = "", last = ""] = found ?? [];
    expect(output.isCut).toBe(true);
    expect(text.startsWith(first) && text.endsWith(last)).toBe(true);
    expect(last.length).toBeGreaterThan(2 * first.length);
    expect(Number(offset)).toBe(Buffer.byteLength(first));
    expect(Number(bytes)).toBe(Buffer.byteLength(text) - Buffer.byteLength(first + last));
    expect(Number(count)).toBe(lines.length - (first + last).split("\n").length + 1);
  });

  it("offsets are those of the reader, and progress takes no room", () => {
    const progress = Array.from({ length: 50_000 }, (_, index) => `\r${index} of 50000`).join("");
    const output = new TerminalText({ maxCharacters: MAX, advice });
    output.add(Buffer.from(`begun${progress}\n`), { offset: 7_000 });
    expect(output.text()).toBe("49999 of 50000\n");
    expect(output.isCut).toBe(false);
    output.add(Buffer.from(text), { offset: 1_000_000 });
    const [, offset = ""] = /read it from (\d+)/.exec(output.text()) ?? [];
    expect(Number(offset)).toBeGreaterThan(1_000_000);
    expect(Number(offset)).toBeLessThan(1_000_000 + MAX / 2);
  });

  it("a line that is too long loses its middle; alone it may have all the room", () => {
    const alone = shown("a".repeat(60_000));
    expect(alone).toMatch(/^a+\[… \d+ characters of this line left out: read it from \d+ …\]a+$/);
    expect(alone.length).toBeGreaterThan(MAX / 2);
    expect(
      Number(/(\d+) characters/.exec(alone)?.[1]) + (alone.match(/a(?=a|$|\[)/g)?.length ?? 0),
    ).toBeGreaterThan(59_000);
    const among = shown(`${"a".repeat(60_000)}\n${"b".repeat(60_000)}\n${"c\n".repeat(9)}`);
    expect(among).toMatch(/^a+\[….*…\]a+\nb+\[….*…\]b+\nc\n/);
    expect(outputOf([Buffer.from(among)]).isCut).toBe(false);
  });

  it("one that fits is whole, however long", () => {
    const line = "a".repeat(MAX - 1);
    expect(shown(`${line}\n`)).toBe(`${line}\n`);
    expect(shown(`${line}\n\n`)).not.toContain(line);
  });
});

it("streams of one command are lines of their own, and can be taken as they come", () => {
  const output = new TerminalText({ maxCharacters: MAX });
  const add = (channel: string, bytes: Buffer) => output.add(bytes, { channel });
  const euro = Buffer.from("€");
  add("stdout", Buffer.concat([Buffer.from("5 "), euro.subarray(0, 1)]));
  add("stderr", Buffer.from("\rwork 1%"));
  add("stderr", Buffer.from("\rwork 2%\x1b[3"));
  expect(output.take()).toBe("5 \nwork 2%\ufffd");
  output.note("[9 bytes are gone]");
  add("stderr", Buffer.from("1m done\n"));
  add("stdout", Buffer.concat([euro.subarray(1), Buffer.from("!\n")]));
  expect(output.take()).toBe("[9 bytes are gone]\n done\n€!\n");
  expect(output.text()).toBe("");
});

it("says what was no text, and what it said last", () => {
  const output = outputOf([Buffer.from("zwölf"), Buffer.from("first\nlast  \r\n\n")]);
  expect([output.isBinary, output.lastLine(100), output.lastLine(3)]).toEqual([false, "last  ", "las"]);
  const loose = outputOf([Buffer.of(0x61, 0xff, 0x62, 0xe9)]);
  expect([loose.isBinary, loose.text(), loose.totalBytes]).toEqual([true, "a\ufffdb\ufffd", 4]);
});

/** Output of programs and attackers. */
const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom(
        "\n",
        "\r",
        "\b",
        "\t",
        "\r\n",
        "\x1b",
        "\x1b[",
        "\x1b]",
        "\x1b\\",
        "\x07",
        "\x9b",
        "\x00",
      ),
      fc.constantFrom(
        "\x1b[2K",
        "\x1b[K",
        "\x1b[1K",
        "\x1b[J",
        "\x1b[2J",
        "\x1b[H",
        "\x1b[3A",
        "\x1b[9C",
        "\x1bM",
      ),
      fc.constantFrom("same line\n", "same line\n", "x".repeat(5_000), "progress 1%\r"),
      fc.nat(400).map((count) => "again and again and again\n".repeat(count)),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(""));

describe("whatever comes", () => {
  it("is never longer than its bound, and shows no control characters", () => {
    fc.assert(
      fc.property(hostile, fc.integer({ min: 2_048, max: 8_192 }), (text, max) => {
        const result = shown(text, max);
        expect(result.length).toBeLessThanOrEqual(max);
        expect(result).not.toMatch(/(?![\n\t])\p{Cc}/u);
      }),
    );
  });

  it("stays as it is when it is read again", () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const once = shown(text);
        expect(shown(once)).toBe(once);
      }),
    );
  });

  it("is the same in whatever pieces it comes", () => {
    fc.assert(
      fc.property(hostile, fc.integer({ min: 1, max: 9_000 }), (text, size) => {
        const bytes = Buffer.from(text);
        const withoutOffsets = (shown: string): string => shown.replaceAll(/\d+ bytes|from \d+/g, "");
        expect(withoutOffsets(outputOf(pieces(bytes, size)).text())).toBe(withoutOffsets(shown(text)));
      }),
    );
  });

  it("plain text stays as it is", () => {
    const line = fc
      .string({ unit: "grapheme", maxLength: 60 })
      .map((text) => text.replaceAll(/\p{Cc}/gu, ""));
    fc.assert(
      fc.property(fc.uniqueArray(line, { maxLength: 40 }), (lines) => {
        const text = lines.join("\n").toWellFormed();
        expect(shown(text, 16_384)).toBe(text);
      }),
    );
  });
});

describe("promise 9: the time that anything hostile costs grows with its length, no faster", () => {
  const COUNT = 20_000;
  const TIMES = 8;
  /** Linear time has a ratio of 8, quadratic time one of 64. */
  const MOST = 3 * TIMES;

  const costOf = (unit: string, count: number): number => {
    const bytes = pieces(Buffer.from(unit.repeat(count)), 65_536);
    const before = process.cpuUsage();
    outputOf(bytes).text();
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };

  it.each([
    ["escapes", "\x1b[31m"],
    ["returns", "\r"],
    ["states of progress", "x\r"],
    ["backspaces", "x\b\b"],
    ["strings that never end", "\x1b]0;"],
    ["sequences that never end", "\x1b[1"],
    ["jumps", "\x1b[9A\x1b[H"],
    ["wiped lines", "\x1b[200Cx\x1b[2K"],
    ["lines", "y\n"],
    ["characters of one line", "x"],
  ])("%s", (_what, unit) => {
    costOf(unit, COUNT);
    // The better of two runs, because others use this machine, too.
    const best = (count: number): number => Math.min(costOf(unit, count), costOf(unit, count));
    const small = Math.max(best(COUNT), 2_000);
    expect(best(TIMES * COUNT) / small).toBeLessThan(MOST);
  });
});

describe("a stream that is no text", () => {
  const binary = Buffer.from(Array.from({ length: 5_000 }, (_, at) => (at * 197 + (at >> 3) * 31) & 0xff));

  it("is one line, however much comes; another stream is read", () => {
    const output = new TerminalText({ maxCharacters: 4_000, advice: () => "" });
    for (let piece = 0; piece < 20; piece += 1) output.add(binary, { channel: "stdout" });
    output.add(Buffer.from("done\n"), { channel: "stderr" });
    expect(output.text()).toBe("[binary output: left out. Redirect it to a file to have it.]\ndone\n");
    expect([output.totalBytes, output.isBinary]).toEqual([100_005, true]);
    expect(output.take()).toContain("binary output");
    output.add(binary, { channel: "stdout" });
    expect(output.take()).toContain("binary output");
  });

  it("says its kind where its first bytes tell", () => {
    const output = new TerminalText({ maxCharacters: 4_000, advice: () => "" });
    output.add(Buffer.concat([Buffer.from("\x7fELF"), binary]));
    expect(output.text()).toMatch(/^\[binary output, ELF/);
  });

  it("is none because of NULs between names, nor because of one byte of another encoding", () => {
    for (const text of [
      Buffer.from("./a/name\0".repeat(100)),
      Buffer.concat([Buffer.from("a line of a log\n".repeat(50)), Buffer.from([0xe9]), Buffer.from("\n")]),
    ]) {
      const output = new TerminalText({ maxCharacters: 4_000, advice: () => "" });
      output.add(text);
      expect(output.text()).not.toContain("binary");
    }
  });
});
