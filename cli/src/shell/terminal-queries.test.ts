import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_SEQUENCE_BYTES, SequenceFilter } from "./sequence-filter.ts";
import { isQuery } from "./terminal-queries.ts";

const QUERIES = [
  "\x05",
  "\x1bZ",
  "\x1b[c",
  "\x1b[0c",
  "\x1b[>c",
  "\x1b[>0c",
  "\x1b[=c",
  "\x1b[5n",
  "\x1b[6n",
  "\x1b[?6n",
  "\x1b[?996n",
  "\x1b[\n6n",
  "\x1b[?2026$p",
  "\x1b[4$p",
  "\x1b[>q",
  "\x1b[>0q",
  "\x1b[?u",
  "\x1b[x",
  "\x1b[?1;1;0S",
  "\x1b[?4m",
  "\x1b[14t",
  "\x1b[14;2t",
  "\x1b[18t",
  "\x1b[21t",
  "\x1b[1$w",
  "\x1b]4;1;?\x07",
  "\x1b]10;?\x07",
  "\x1b]11;?\x1b\\",
  "\x1b]12;?\x1b\\",
  "\x1b]52;c;?\x07",
  "\x1bP$qm\x1b\\",
  "\x1bP+q544e\x1b\\",
  "\x1b_Gi=1,a=q;AAAA\x1b\\",
];

const HARMLESS = [
  "\x1b[m",
  "\x1b[1;31m",
  "\x1b[>4;2m",
  "\x1b[2J",
  "\x1b[10;20H",
  "\x1b[?1049h",
  "\x1b[?25l",
  "\x1b[1;24r",
  "\x1b[8;24;80t",
  "\x1b[22;0t",
  "\x1b[23;0;0t",
  "\x1b[2 q",
  "\x1b[>1u",
  "\x1b[3S",
  "\x1b[!p",
  "\x1b(B",
  "\x1b7",
  "\x1b=",
  "\x1b]0;?\x07",
  "\x1b]2;a title\x1b\\",
  "\x1b]8;;https://example.com/?\x1b\\",
  "\x1b]52;c;aGVsbG8=\x07",
  "\x1b]11;#000000\x07",
  "\x1bPq#0;2;0;0;0\x1b\\",
  "plain text, ✓ and 漢字\r\n",
];

/** Returns the pieces in order, without queries. */
function withoutQueries(pieces: readonly Uint8Array[]): Buffer {
  const filter = new SequenceFilter();
  const kept = pieces.map((piece) => filter.push(piece, (found) => (isQuery(found) ? "drop" : "keep")));
  return Buffer.concat([...kept, filter.flush()]);
}

/** Cuts bytes at these places. */
function cut(bytes: Buffer, places: readonly number[]): Uint8Array[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...sorted, bytes.length].map((end, index) => bytes.subarray(sorted[index - 1] ?? 0, end));
}

/** Output that is mostly escape sequences, whole, broken and in between. */
const output = fc
  .array(
    fc.oneof(
      fc.constantFrom(...QUERIES, ...HARMLESS),
      fc.constantFrom("\x1b", "\x1b[", "\x1b[?", "\x1b]", "\x1bP", "\x1b\\", "\x07", "\x18", "\x05", "\x9b"),
      fc.string(),
    ),
  )
  .map((parts) => Buffer.from(parts.join("")));
const anyBytes = fc.oneof(
  output,
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
);

describe("terminal queries in output that is shown again", () => {
  it.each(QUERIES.map((query) => [JSON.stringify(query), query]))("%s is removed", (_title, query) => {
    expect(withoutQueries([Buffer.from(`before${query}after`)]).toString()).toBe("beforeafter");
  });

  it.each(HARMLESS.map((text) => [JSON.stringify(text), text]))("%s stays", (_title, text) => {
    expect(withoutQueries([Buffer.from(`before${text}after`)]).toString()).toBe(`before${text}after`);
  });

  it("however the output is cut, the result is the same", () => {
    fc.assert(
      fc.property(anyBytes, fc.array(fc.nat()), (bytes, places) => {
        expect(withoutQueries(cut(bytes, places))).toEqual(withoutQueries([bytes]));
      }),
      { numRuns: 2000 },
    );
  });

  it("also where a sequence is too long to be one", () => {
    const tooLong = `\x1b]52;c;${"A".repeat(MAX_SEQUENCE_BYTES)};?\x07\x1b[6nend`;
    const expected = tooLong.replace("\x1b[6n", "");
    fc.assert(
      fc.property(fc.array(fc.nat()), (places) => {
        expect(withoutQueries(cut(Buffer.from(tooLong), places)).toString()).toBe(expected);
      }),
    );
  });

  it("bytes without a query come out unchanged", () => {
    const harmless = fc.array(fc.oneof(fc.constantFrom(...HARMLESS), fc.stringMatching(/^[ -~]*$/)));
    fc.assert(
      fc.property(harmless, fc.array(fc.nat()), (parts, places) => {
        const bytes = Buffer.from(parts.join(""));
        expect(withoutQueries(cut(bytes, places))).toEqual(bytes);
      }),
    );
  });

  it("a string that another escape abandons hides no query", () => {
    expect(withoutQueries([Buffer.from("\x1b]0;title\x1b[6nx")]).toString()).toBe("\x1b]0;titlex");
  });

  it("what has come out never ends inside a sequence or a character", () => {
    const whole = Buffer.from("a\x1b[38;5;200mé漢😀\x1b]0;t\x1b\\z");
    fc.assert(
      fc.property(fc.nat(whole.length), (length) => {
        const shown = Buffer.from(new SequenceFilter().push(whole.subarray(0, length), () => "keep"));
        expect([
          "",
          "a",
          "a\x1b[38;5;200m",
          "a\x1b[38;5;200mé",
          "a\x1b[38;5;200mé漢",
          "a\x1b[38;5;200mé漢😀",
          "a\x1b[38;5;200mé漢😀\x1b]0;t\x1b\\",
          whole.toString(),
        ]).toContain(shown.toString());
      }),
    );
  });
});
