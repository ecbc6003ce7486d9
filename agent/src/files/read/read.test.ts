import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { symlink, truncate, writeFile } from "node:fs/promises";
import net from "node:net";
import { FILE_CHUNK_BYTES, MAX_UNARY_CONTENT_BYTES } from "@cmdop/proto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeScratch, NEVER, refusal, refusalCode, type Scratch } from "../place/test-support.ts";
import { type Range, readContent, streamContent } from "./read.ts";

const WHOLE: Range = { offset: 0n };

async function streamed(scratch: Scratch, path: string, range: Range): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const { data: piece } of streamContent(scratch.boundary(), path, range, NEVER)) {
    expect(piece.length).toBeLessThanOrEqual(FILE_CHUNK_BYTES);
    // Its memory is used again.
    pieces.push(Buffer.from(piece));
  }
  return Buffer.concat(pieces);
}

describe("read", () => {
  it("gives every range of a file, whole or streamed", async () => {
    await using scratch = await makeScratch();
    const content = randomBytes(FILE_CHUNK_BYTES * 2 + 17);
    await writeFile(scratch.at("f"), content);
    const bytes = fc.bigInt({ min: 0n, max: BigInt(content.length) + 10n });
    await fc.assert(
      fc.asyncProperty(bytes, fc.option(bytes, { nil: undefined }), async (offset, length) => {
        const to = length === undefined ? undefined : Number(offset + length);
        const expected = content.subarray(Number(offset), to);
        const whole = await readContent(scratch.boundary(), scratch.at("f"), { offset, length });
        expect(Buffer.compare(whole.content, expected)).toBe(0);
        expect(whole.size).toBe(BigInt(content.length));
        expect(Buffer.compare(await streamed(scratch, scratch.at("f"), { offset, length }), expected)).toBe(
          0,
        );
      }),
      { numRuns: 40 },
    );
  });

  it("takes the largest offsets and lengths that a message can say", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f", "abc");
    const most = 2n ** 64n - 1n;
    expect(
      (await readContent(scratch.boundary(), file, { offset: most, length: most })).content,
    ).toHaveLength(0);
    expect((await readContent(scratch.boundary(), file, { offset: 1n, length: most })).content).toHaveLength(
      2,
    );
    expect(await streamed(scratch, file, { offset: most })).toHaveLength(0);
    expect((await readContent(scratch.boundary(), "/proc/uptime", { offset: most })).content).toHaveLength(0);
  });

  it("answers 4 MiB in one piece, and refuses one byte more, telling of the stream", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f");
    await truncate(file, MAX_UNARY_CONTENT_BYTES);
    const { content } = await readContent(scratch.boundary(), file, WHOLE);
    expect(content).toHaveLength(MAX_UNARY_CONTENT_BYTES);
    await truncate(file, MAX_UNARY_CONTENT_BYTES + 1);
    const error = await refusal(readContent(scratch.boundary(), file, WHOLE));
    expect(error.code).toBe("MessageTooLarge");
    expect(error.next).toContain("ReadStream");
    const tail = await readContent(scratch.boundary(), file, { offset: 1n });
    expect(tail.content).toHaveLength(MAX_UNARY_CONTENT_BYTES);
    expect(await streamed(scratch, file, WHOLE)).toHaveLength(MAX_UNARY_CONTENT_BYTES + 1);
  });

  it("reads files that say they are empty, like those of /proc", async () => {
    await using scratch = await makeScratch();
    const { content, size } = await readContent(scratch.boundary(), "/proc/version", WHOLE);
    expect(Buffer.from(content).toString()).toContain("Linux");
    expect(size).toBe(BigInt(content.length));
    expect((await streamed(scratch, "/proc/version", { offset: 6n, length: 7n })).toString()).toBe("version");
    const kallsyms = await refusalCode(readContent(scratch.boundary(), "/proc/kallsyms", WHOLE));
    expect(kallsyms).toBe("MessageTooLarge");
    expect((await readContent(scratch.boundary(), await scratch.file("empty", ""), WHOLE)).size).toBe(0n);
  });

  it("refuses everything but regular files, at once and without opening it", async () => {
    await using scratch = await makeScratch();
    execFileSync("mkfifo", [scratch.at("fifo")]);
    const listener = net.createServer().listen(scratch.at("socket"));
    await new Promise((resolve) => listener.once("listening", resolve));
    try {
      for (const path of [scratch.at("fifo"), scratch.at("socket"), "/dev/zero", "/dev/tty"]) {
        expect(await refusalCode(readContent(scratch.boundary(), path, WHOLE))).toBe("NotAFile");
        expect(await refusalCode(streamed(scratch, path, WHOLE))).toBe("NotAFile");
      }
    } finally {
      await new Promise((resolve) => listener.close(resolve));
    }
    expect(await refusalCode(readContent(scratch.boundary(), scratch.dir, WHOLE))).toBe("IsADirectory");
    expect(await refusalCode(readContent(scratch.boundary(), scratch.at("no"), WHOLE))).toBe("NotFound");
  });

  it("follows links", async () => {
    await using scratch = await makeScratch();
    await scratch.file("real/f", "content");
    await symlink("real", scratch.at("dir"));
    await symlink("../dir/f", scratch.at("home/link"));
    const { content } = await readContent(scratch.boundary(), "~/link", WHOLE);
    expect(Buffer.from(content).toString()).toBe("content");
  });

  it("says when a file is cut short underneath", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f");
    await truncate(file, FILE_CHUNK_BYTES * 3);
    const pieces = streamContent(scratch.boundary(), file, WHOLE, NEVER);
    expect((await pieces.next()).value?.data).toHaveLength(FILE_CHUNK_BYTES);
    await truncate(file, FILE_CHUNK_BYTES);
    // The piece behind it may have been read ahead.
    const rest = async () => {
      while (!(await pieces.next()).done);
    };
    expect(await refusalCode(rest())).toBe("FileChanged");
  });

  it("reads no further than its reader asks, and stops when the signal aborts", async () => {
    await using scratch = await makeScratch();
    const file = await scratch.file("f");
    await truncate(file, FILE_CHUNK_BYTES * 10);
    const gone = new AbortController();
    const pieces = streamContent(scratch.boundary(), file, WHOLE, gone.signal);
    await pieces.next();
    gone.abort();
    expect((await pieces.next()).done).toBe(true);
  });
});
