import { expect, test } from "vitest";
import { type FileWindow, type ReadAt, readBytes, readLines } from "./file-window.ts";
import { DEFAULT_READ_BYTES, LINE_SCAN_CHUNK_BYTES, MAX_LINE_SCAN_BYTES } from "./limits.ts";

function fileOf(content: string | Buffer): ReadAt {
  const bytes = Buffer.from(content);
  return async (offset, length) => bytes.subarray(offset, offset + length);
}

/** Follows nextOffset to the end, as a model would. */
async function readAll(file: ReadAt, length: number): Promise<FileWindow[]> {
  const windows: FileWindow[] = [];
  let offset: number | null = 0;
  while (offset !== null) {
    const window = await readBytes(file, { offset, length });
    windows.push(window);
    offset = window.nextOffset;
  }
  return windows;
}

test.each([1, 2, 3, 4, 5, 7, 100])(
  "windows of %i bytes, followed to the end, make the file whole",
  async (length) => {
    const text = "aé€𝄞\n".repeat(5);
    const windows = await readAll(fileOf(text), length);
    const bytes = windows.map(({ content, encoding }) => Buffer.from(content, encoding));
    expect(Buffer.concat(bytes).toString()).toBe(text);
  },
);

test.each([1, 2, 3, 4, 5, 7, 100])(
  "so do windows of %i bytes over a file that is text only in places",
  async (length) => {
    const mixed = Buffer.concat([
      Buffer.from("a€"),
      Buffer.from([0x80, 0xff, 0xe2, 0x82]),
      Buffer.from("b€\0𝄞𝄞"),
    ]);
    const windows = await readAll(fileOf(mixed), length);
    const bytes = windows.map(({ content, encoding }) => Buffer.from(content, encoding));
    expect(Buffer.concat(bytes)).toEqual(mixed);
  },
);

test("an empty file is empty text", async () => {
  expect(await readBytes(fileOf(""), { offset: 0, length: 10 })).toEqual({
    encoding: "utf8",
    content: "",
    offset: 0,
    bytes: 0,
    nextOffset: null,
  });
});

test("a window that ends inside a character stops before it", async () => {
  const window = await readBytes(fileOf("ab€cd"), { offset: 0, length: 3 });
  expect(window).toEqual({ encoding: "utf8", content: "ab", offset: 0, bytes: 2, nextOffset: 2 });
});

test("a window that begins inside a character says where its text begins", async () => {
  const window = await readBytes(fileOf("ab€cd"), { offset: 3, length: 10 });
  expect(window).toEqual({ encoding: "utf8", content: "cd", offset: 5, bytes: 2, nextOffset: null });
});

test.each([
  ["invalid UTF-8", Buffer.from([0x61, 0xff, 0x62])],
  ["a NUL", Buffer.from([0x61, 0x00, 0x62])],
  ["a character cut by the file's own end", Buffer.from([0x61, 0xe2, 0x82])],
])("%s makes it base64, to the byte", async (_, bytes) => {
  const window = await readBytes(fileOf(bytes), { offset: 0, length: 100 });
  expect(window.encoding).toBe("base64");
  expect(Buffer.from(window.content, "base64")).toEqual(bytes);
});

test("a byte order mark is part of the file", async () => {
  expect((await readBytes(fileOf("\uFEFFa"), { offset: 0, length: 10 })).content).toBe("\uFEFFa");
});

test("lines are counted from 1, across the search's chunks", async () => {
  const long = "x".repeat(LINE_SCAN_CHUNK_BYTES - 1);
  const file = fileOf(`${long}\nsecond\nthird\nfourth`);
  const window = await readLines(file, "/f", { startLine: 2, lineCount: 2 });
  expect(window.content).toBe("second\nthird\n");
  expect(await readBytes(file, { offset: window.nextOffset ?? 0, length: 100 })).toMatchObject({
    content: "fourth",
  });
});

test("the last lines end the file", async () => {
  expect(await readLines(fileOf("a\nb\nc"), "/f", { startLine: 2, lineCount: 2 })).toMatchObject({
    content: "b\nc",
    nextOffset: null,
  });
  expect(await readLines(fileOf("a\nb\n"), "/f", { startLine: 2, lineCount: 1 })).toMatchObject({
    content: "b\n",
    nextOffset: null,
  });
});

test("lines that don't fit end with a whole one", async () => {
  const line = `${"x".repeat(999)}\n`;
  const window = await readLines(fileOf(line.repeat(100)), "/f", { startLine: 1 });
  expect(window.bytes).toBe(Math.floor(DEFAULT_READ_BYTES / 1000) * 1000);
  expect(window.nextOffset).toBe(window.bytes);
});

test("a line that alone is too long is cut, and goes on at nextOffset", async () => {
  const window = await readLines(fileOf("x".repeat(DEFAULT_READ_BYTES * 2)), "/f", {
    startLine: 1,
    lineCount: 1,
  });
  expect(window.nextOffset).toBe(DEFAULT_READ_BYTES);
});

test("a line behind the end says how many there are", async () => {
  await expect(readLines(fileOf("a\nb"), "/f", { startLine: 9 })).rejects.toMatchObject({
    code: "InvalidArgument",
    message: "/f has only 2 lines: there is no line 9.",
  });
});

test("the search for a line is bounded", async () => {
  let readBytesInAll = 0;
  const endless: ReadAt = async (_, length) => {
    readBytesInAll += length;
    if (readBytesInAll > MAX_LINE_SCAN_BYTES) throw new RangeError("read beyond the bound");
    return Buffer.alloc(length, "x");
  };
  await expect(readLines(endless, "/f", { startLine: 2 })).rejects.toMatchObject({ code: "LimitExceeded" });
  expect(readBytesInAll).toBe(MAX_LINE_SCAN_BYTES);
});
