import { describe, expect, it, test } from "vitest";
import { Excerpt } from "./excerpt.ts";
import { HEAD_BYTES, TAIL_BYTES } from "./limits.ts";

const KEPT_BYTES = HEAD_BYTES + TAIL_BYTES;

/** The same bytes in pieces of one size. */
function fill(bytes: Buffer, pieceBytes: number): Excerpt {
  const excerpt = new Excerpt();
  for (let at = 0; at < bytes.length; at += pieceBytes) excerpt.add(bytes.subarray(at, at + pieceBytes));
  return excerpt;
}

/** Digits that differ from place to place, so that a byte out of order shows. */
function digits(count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, (_, index) => 48 + ((index * 7 + (index >> 8)) % 10)));
}

test.each([1, 7, 1000, 4096, 65_536])("in pieces of %i bytes, output that fits is whole", (pieceBytes) => {
  const bytes = digits(KEPT_BYTES);
  const excerpt = fill(bytes, pieceBytes);
  expect(excerpt.isCut).toBe(false);
  expect(excerpt.text()).toBe(bytes.toString());
});

test.each([1, 7, 1000, 4096, 65_536])(
  "in pieces of %i bytes, head and tail of longer output are kept and the rest counted",
  (pieceBytes) => {
    const bytes = digits(KEPT_BYTES * 3 + 17);
    const excerpt = fill(bytes, pieceBytes);
    expect(excerpt.isCut).toBe(true);
    expect(excerpt.totalBytes).toBe(bytes.length);
    expect(excerpt.text()).toBe(
      `${bytes.subarray(0, HEAD_BYTES)}\n[… ${bytes.length - KEPT_BYTES} bytes left out …]\n${bytes.subarray(-TAIL_BYTES)}`,
    );
  },
);

test("one byte over the limit is a cut of one byte", () => {
  expect(fill(digits(KEPT_BYTES + 1), 100).text()).toContain("[… 1 bytes left out …]");
});

test("a cut falls between characters, and the count stays exact", () => {
  const bytes = Buffer.from(`a${"€".repeat(KEPT_BYTES)}`);
  const text = fill(bytes, 5).text();
  expect(text).not.toContain("\uFFFD");
  const omitted = Number(/\[… (\d+) bytes left out …\]/.exec(text)?.[1]);
  const kept = text.replace(/\n\[….*…\]\n/, "");
  expect(Buffer.byteLength(kept) + omitted).toBe(bytes.length);
});

test("bytes that are no text cost their place only", () => {
  expect(fill(Buffer.from([0x61, 0xff, 0xfe, 0x62]), 1).text()).toBe("a\uFFFD\uFFFDb");
});

test("the last line skips blank ones and is bounded", () => {
  const excerpt = fill(Buffer.from("first\nsecond line\r\n\n  \n"), 3);
  expect(excerpt.lastLine(100)).toBe("second line");
  expect(excerpt.lastLine(6)).toBe("second");
});

describe("isBinary", () => {
  it.each([
    ["text", Buffer.from("zwölf €"), false],
    ["bytes that are no UTF-8", Buffer.of(0x61, 0xff, 0x62), true],
    ["long text, cut in the middle of characters", Buffer.from("€".repeat(20_000)), false],
  ])("%s", (_title, bytes, expected) => {
    const excerpt = new Excerpt();
    excerpt.add(bytes);
    expect(excerpt.isBinary).toBe(expected);
  });
});
