import { describe, expect, it } from "vitest";
import { Reader } from "./reader.ts";
import type { Content } from "./types.ts";

const PIECE_BYTES = 400_000;

/** Makes content of `count` pieces, each of one letter, and counts the pieces that were read. */
function contentOf(count: number): { content: Content; pulled: () => number } {
  let pulled = 0;
  const content: Content = {
    path: "letters",
    size: count * PIECE_BYTES,
    mode: undefined,
    mtimeMs: undefined,
    identity: "letters",
    async *read(from) {
      for (let index = from / PIECE_BYTES; index < count; index++) {
        pulled += 1;
        yield Buffer.alloc(PIECE_BYTES, letter(index));
      }
    },
    finish: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { content, pulled: () => pulled };
}

const letter = (index: number): string => String.fromCharCode(97 + index);
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

describe("a reader", () => {
  it("that holds nothing goes on from where it is, and is done with each piece before it takes the next", async () => {
    const reused = Buffer.alloc(3);
    const recycling = {
      ...contentOf(1).content,
      async *read() {
        for (const letters of ["abc", "def"]) {
          reused.write(letters);
          yield reused;
        }
      },
    };
    for (const [holds, first] of [
      [false, "none"],
      [true, "abc"],
    ] as const) {
      const reader = new Reader(recycling, 0, holds);
      expect(text(await reader.at(0, 3))).toBe("abc");
      expect(text(await reader.at(3, 3))).toBe("def");
      expect(reader.reaches(0) ? text(await reader.at(0, 3)) : "none").toBe(first);
      expect([3, 6].map((position) => reader.reaches(position))).toEqual([true, true]);
    }
  });

  it("gives what it holds again, without asking the source, and pieces no larger than wanted", async () => {
    const { content, pulled } = contentOf(3);
    const reader = new Reader(content, 0, true);
    expect(text(await reader.at(0, 3))).toBe("aaa");
    expect((await reader.at(PIECE_BYTES - 1, 100))?.length).toBe(1);
    expect(text(await reader.at(PIECE_BYTES, 2))).toBe("bb");
    expect(text(await reader.at(5, 2))).toBe("aa");
    expect(pulled()).toBe(2);
    expect(await reader.at(2 * PIECE_BYTES, 1)).toHaveLength(1);
    expect(await reader.at(3 * PIECE_BYTES, 1)).toBeUndefined();
  });

  it("holds the last of it and no more, and says what it reaches", async () => {
    const reader = new Reader(contentOf(10).content, 0, true);
    for (let index = 0; index < 10; index++) await reader.at(index * PIECE_BYTES, 1);
    expect([6, 7, 10, 11].map((index) => reader.reaches(index * PIECE_BYTES))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it("two at once get the same, from one look at the source", async () => {
    const { content, pulled } = contentOf(2);
    const reader = new Reader(content, 0, true);
    const both = await Promise.all([reader.at(0, 2), reader.at(0, 3)]);
    expect([both.map(text), pulled()]).toEqual([["aa", "aaa"], 1]);
  });

  it("of a source that failed reaches nothing any more", async () => {
    const failing = { ...contentOf(1).content, read: () => failingPieces() };
    const reader = new Reader(failing, 0, true);
    await reader.at(0, 1);
    await expect(reader.at(1, 1)).rejects.toThrow("the disk broke");
    expect(reader.reaches(0)).toBe(false);
  });
});

async function* failingPieces(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("a");
  throw new Error("the disk broke");
}
