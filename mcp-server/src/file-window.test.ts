import { DETECT_BYTES, type ReadAt } from "@cmdop/proto";
import { expect, test } from "vitest";
import { asBase64, asBinary, asText, type FileAnswer } from "./file-answer.ts";
import * as windows from "./file-window.ts";
import { DEFAULT_READ_BYTES, LINE_SCAN_CHUNK_BYTES, MAX_LINE_SCAN_BYTES } from "./limits.ts";

async function readBytes(file: ReadAt, range: { offset: number; length: number }): Promise<FileAnswer> {
  const read = await windows.readBytes(file, range);
  return asText(read) ?? asBinary(read, async () => 0);
}

async function readLines(...args: Parameters<typeof windows.readLines>): Promise<FileAnswer> {
  const read = await windows.readLines(...args);
  return asText(read) ?? asBinary(read, async () => 0);
}

function fileOf(content: string | Buffer): ReadAt {
  const bytes = Buffer.from(content);
  return async (offset, length) => bytes.subarray(offset, offset + length);
}

/** Follows nextOffset to the end, as a model would. */
async function readAll(file: ReadAt, length: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let offset: number | null = 0;
  while (offset !== null) {
    const read = await windows.readBytes(file, { offset, length });
    pieces.push(Buffer.from(asBase64(read).content, "base64"));
    offset = read.window.nextOffset;
  }
  return Buffer.concat(pieces);
}

test.each([1, 2, 3, 4, 5, 7, 100])(
  "windows of %i bytes, followed to the end, make the file whole",
  async (length) => {
    const text = "aé€𝄞\n".repeat(5);
    expect((await readAll(fileOf(text), length)).toString()).toBe(text);
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
    expect(await readAll(fileOf(mixed), length)).toEqual(mixed);
  },
);

test("an empty file is empty text", async () => {
  expect(await readBytes(fileOf(""), { offset: 0, length: 10 })).toEqual({
    encoding: "utf8",
    content: "",
    offset: 0,
    bytes: 0,
    nextOffset: null,
    notes: [],
  });
});

test("a window that ends inside a character stops before it", async () => {
  const window = await readBytes(fileOf("ab€cd"), { offset: 0, length: 4 });
  expect(window).toMatchObject({ encoding: "utf8", content: "ab", offset: 0, bytes: 2, nextOffset: 2 });
});

test("a window that begins inside a character says where its text begins", async () => {
  const window = await readBytes(fileOf("ab€cd"), { offset: 3, length: 10 });
  expect(window).toMatchObject({ encoding: "utf8", content: "cd", offset: 5, bytes: 2, nextOffset: null });
});

test.each([
  [
    "a byte that is no UTF-8",
    Buffer.from("caf\xe9 is here\n", "latin1"),
    "caf\\xE9 is here\n",
    ["\\xE9", "line 801"],
  ],
  ["a NUL", Buffer.from("a\0b\n"), "a\\x00b\n", ["\\x00"]],
  ["a character that the file's end cuts off", Buffer.from([0x61, 0xe2, 0x82]), "a\\xE2\\x82", ["2 bytes"]],
])("%s is shown in its place, in a text that stays one, and named", async (_, bytes, shown, named) => {
  const log = "a line of the log\n".repeat(800);
  const answer = await readBytes(fileOf(Buffer.concat([Buffer.from(log), bytes])), {
    offset: 0,
    length: 100_000,
  });
  expect(answer).toMatchObject({ encoding: "utf8", content: log + shown });
  for (const what of named) expect(answer.notes.join()).toContain(what);
});

test("text of another encoding is decoded and named, by bytes and by lines", async () => {
  const file = fileOf(
    Buffer.from("\ufefferste Zeile\r\nzweite Zeile: \u010a\u0a0a\r\ndritte\r\n", "utf16le"),
  );
  expect(await readBytes(file, { offset: 0, length: 1_000 })).toMatchObject({
    encoding: "utf-16le",
    content: expect.stringMatching(/^erste Zeile\r\nzweite/),
    notes: ["decoded from utf-16le"],
  });
  expect(await readLines(file, "/f", { startLine: 3 })).toMatchObject({
    content: "dritte\r\n",
    nextOffset: null,
  });
  expect((await readLines(file, "/f", { startLine: 2, lineCount: 1 })).content).toBe(
    "zweite Zeile: \u010a\u0a0a\r\n",
  );
  const latin = fileOf(Buffer.from("d\xe9j\xe0 vu, caf\xe9\n", "latin1"));
  expect(await readBytes(latin, { offset: 0, length: 10 })).toMatchObject({
    encoding: "windows-1252",
    content: "déjà vu, c",
  });
});

test("what is binary is answered in one line", async () => {
  const png = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(5_000, 7)]);
  const read = await windows.readBytes(fileOf(png), { offset: 0, length: 1_000 });
  expect(asText(read)).toBeUndefined();
  expect(await asBinary(read, async () => png.length)).toMatchObject({
    encoding: "binary",
    content: "",
    notes: ["binary, PNG image, 5008 bytes in all; encoding base64 gives the bytes"],
  });
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
    if (readBytesInAll > MAX_LINE_SCAN_BYTES + DETECT_BYTES + 1)
      throw new RangeError("read beyond the bound");
    return Buffer.alloc(length, "x");
  };
  await expect(readLines(endless, "/f", { startLine: 2 })).rejects.toMatchObject({ code: "LimitExceeded" });
  expect(readBytesInAll).toBe(MAX_LINE_SCAN_BYTES + DETECT_BYTES + 1);
});
