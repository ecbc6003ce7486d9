import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonicalPath,
  pathBytes,
  pathCharacters,
  pathText,
  patternCharacters,
  systemPath,
} from "./path-text.ts";

const text = fc.oneof(
  fc.string({ unit: "grapheme" }),
  // Text that looks like an escape, beside real escapes.
  fc
    .array(fc.constantFrom("\\", "x", "\\x", "E9", "e9", "5C", "c3", "A9", "é", "/", "..", "~", "🙂"), {
      maxLength: 12,
    })
    .map((parts) => parts.join("")),
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  text.map((each) => Buffer.from(each)),
  fc
    .array(
      fc.constantFrom(
        [0x5c],
        [0x78],
        [0x45, 0x39],
        [0xe9],
        [0xc3],
        [0xa9],
        [0xf0, 0x9f],
        [0x99, 0x82],
        [0xed, 0xa0, 0x80],
        [0xc0, 0xaf],
        [0x2f],
      ),
    )
    .map((parts) => Uint8Array.from(parts.flat())),
);

describe("the text of a name", () => {
  it.each([
    ["plain.txt", "plain.txt"],
    ["C:\\temp\\x.txt", "C:\\temp\\x.txt"],
    ["dev-disk-by\\x2duuid.swap", "dev-disk-by\\x2duuid.swap"],
    ["échos 日本語 🙂\n", "échos 日本語 🙂\n"],
    ["\\xE9 as it stands", "\\x5CxE9 as it stands"],
    ["\\x5c", "\\x5Cx5c"],
  ])("that is UTF-8: %j is written %j", (name, written) => {
    expect(pathText(Buffer.from(name))).toBe(written);
    expect(pathText(name)).toBe(written);
    expect(systemPath(written)).toBe(name);
  });

  it.each([
    ["caf\xe9.txt", "caf\\xE9.txt"],
    ["\\\xe9", "\\\\xE9"],
    ["\\x\xe9", "\\x\\xE9"],
    ["\xc3/\xa9", "\\xC3/\\xA9"],
    ["\xc0\xaf", "\\xC0\\xAF"],
    ["\xed\xa0\x80", "\\xED\\xA0\\x80"],
  ])("that is not: the bytes of %j are written %j", (latin1, written) => {
    const raw = Buffer.from(latin1, "latin1");
    expect(pathText(raw)).toBe(written);
    expect(pathBytes(written)).toEqual(raw);
    expect(systemPath(written)).toEqual(raw);
  });

  it("has what it needs to come back, whatever the bytes are, and is always text", () => {
    fc.assert(
      fc.property(bytes, (raw) => {
        const written = pathText(raw);
        expect(written.isWellFormed()).toBe(true);
        expect(pathBytes(written)).toEqual(Buffer.from(raw));
        expect(canonicalPath(written)).toBe(written);
        expect(Buffer.from(systemPath(written))).toEqual(Buffer.from(raw));
      }),
      { numRuns: 2_000 },
    );
  });

  it("is one for each name: two that a caller writes are the same path where their bytes are", () => {
    fc.assert(
      fc.property(text, text, (one, other) => {
        expect(canonicalPath(one) === canonicalPath(other)).toBe(pathBytes(one).equals(pathBytes(other)));
        expect(pathBytes(canonicalPath(one))).toEqual(pathBytes(one));
      }),
      { numRuns: 2_000 },
    );
    expect(canonicalPath("\\xc3\\xa9")).toBe("é");
  });

  it("hides no slash, dot or NUL: they are what they are before as after", () => {
    fc.assert(
      fc.property(text, (written) => {
        const shape = (value: string): string => value.replaceAll(/[^/.\0]/gu, "");
        expect(shape(pathBytes(written).toString("latin1"))).toBe(shape(written));
        expect(
          pathBytes(written)
            .toString("latin1")
            .split("/")
            .map((part) => pathText(Buffer.from(part, "latin1")))
            .join("/"),
        ).toBe(canonicalPath(written));
      }),
      { numRuns: 2_000 },
    );
    for (const tried of ["\\x2F", "\\x2e\\x2e", "\\x00", "\\057", "%2e"])
      expect(pathBytes(tried).toString()).toBe(tried);
  });

  it("that holds half of a character is refused", () => {
    expect(() => pathBytes("a\ud800")).toThrow("surrogate");
  });

  it("is matched character by character, and a byte that is none is one too", () => {
    expect(pathCharacters("é\\xE9\\x5CxE9")).toEqual(["é", "\udce9", "\\", "x", "E", "9"]);
  });
});

it("a pattern means the same bytes, and its own backslashes stay what they were", () => {
  expect(patternCharacters("*\\xE9\\*[\\xE0-\\xEF]").join("|")).toBe("*|\udce9|\\|*|[|\udce0|-|\udcef|]");
  expect(patternCharacters("\\xc3\\xa9\\\\xE9")).toEqual(["é", "\\", "\\", "x", "E", "9"]);
  expect(patternCharacters("\\x5CxE9")).toEqual(["\\", "\\", "x", "E", "9"]);
});
