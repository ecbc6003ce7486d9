import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { FILE_CHUNK_BYTES } from "@cmdop/proto";

/** What a filesystem says that knows no such wait. */
export const NO_SYNC = ["EINVAL", "ENOTSUP", "EOPNOTSUPP"];

/** Writes what is in one file over another, in place and on disk; its SHA-256. */
export async function pour(from: FileHandle, to: FileHandle): Promise<Buffer> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(FILE_CHUNK_BYTES);
  let position = 0;
  for (;;) {
    const { bytesRead } = await from.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) break;
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    await writeAt(to, piece, position);
    position += bytesRead;
  }
  await to.truncate(position);
  await unless(NO_SYNC, to.sync());
  return hash.digest();
}

/** Written at once by `restore`: a page, which is what a disk gives room for. */
const PAGE_BYTES = 4 * 1024;

/** Gives a file the content of another again: only what differs is written, so that no room is needed for what is there. */
export async function restore(from: FileHandle, to: FileHandle): Promise<void> {
  const { size } = await from.stat();
  await to.truncate(size);
  for (let position = 0; position < size; position += COMPARED_BYTES) {
    const [old, now] = await Promise.all([from, to].map((each) => readAt(each, position)));
    if (old === undefined || now === undefined) return;
    for (let at = 0; at < old.length; at += PAGE_BYTES) {
      const page = old.subarray(at, at + PAGE_BYTES);
      if (!page.equals(now.subarray(at, at + PAGE_BYTES))) await writeAt(to, page, position + at);
    }
  }
  await unless(NO_SYNC, to.sync());
}

/** What a disk or the kernel writes whole: a crash leaves each such block as it was or as it was to be. */
const BLOCK_BYTES = 512;

/** Read of each file at once; a multiple of the block. */
const COMPARED_BYTES = 64 * 1024;

/** Whether a file is what a write of `after` over `before`, broken off anywhere, can have left. Nobody else has written to it then. */
export async function isBetween(file: FileHandle, before: FileHandle, after: FileHandle): Promise<boolean> {
  const sizes = await Promise.all([before, after].map(async (each) => (await each.stat()).size));
  const { size } = await file.stat();
  if (size < Math.min(...sizes) || size > Math.max(...sizes)) return false;
  for (let position = 0; position < size; position += COMPARED_BYTES) {
    const [now, old, next] = await Promise.all([file, before, after].map((each) => readAt(each, position)));
    if (now === undefined || old === undefined || next === undefined) return false;
    for (let at = 0; at < now.length; at += BLOCK_BYTES) {
      const block = now.subarray(at, at + BLOCK_BYTES);
      const isEither = [old, next].some((each) => each.subarray(at, at + block.length).equals(block));
      if (!isEither) return false;
    }
  }
  return true;
}

async function writeAt(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

async function readAt(file: FileHandle, position: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(COMPARED_BYTES);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, position + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}
