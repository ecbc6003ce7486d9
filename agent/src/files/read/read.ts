import { createHash } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import {
  alternatingBuffers,
  CmdopError,
  FILE_CHUNK_BYTES,
  MAX_UNARY_CONTENT_BYTES,
  readAhead,
} from "@cmdop/proto";
import type { Boundary } from "../place/boundary.ts";
import { mtimeOf } from "../place/entry.ts";
import { attempt, fileError } from "../place/errors.ts";
import { MAX_READ_ATTEMPTS, UNSIZED_READ_BYTES } from "../place/limits.ts";
import { PERMISSION_BITS } from "../place/mode.ts";
import { expandPath, shown } from "../place/path.ts";
import type { Pin } from "../place/pin.ts";
import { openTarget } from "../place/resolve.ts";

/** Which bytes to read. */
export interface Range {
  /** The first byte. */
  readonly offset: bigint;
  /** Bytes at most; absent means to the end. */
  readonly length?: bigint | undefined;
}

/** A whole small file, or a range of any. `size` is the whole file's, as far as it can be known. A file that is written to meanwhile is read again. */
export function readContent(
  boundary: Boundary,
  path: string,
  range: Range,
): Promise<{ content: Uint8Array; size: bigint }> {
  return attempt("read", path, async () => {
    const asked = expandPath(path, boundary.home);
    for (let round = 1; ; round++) {
      try {
        return await readOnce(boundary, asked, range);
      } catch (thrown) {
        const changed = thrown instanceof CmdopError && thrown.code === "FileChanged";
        if (!changed || round === MAX_READ_ATTEMPTS) throw thrown;
      }
    }
  });
}

async function readOnce(
  boundary: Boundary,
  asked: string,
  range: Range,
): Promise<{ content: Uint8Array; size: bigint }> {
  using target = await openTarget(boundary, asked);
  await using file = await openRegular(target.pin, asked);
  const { size } = target.pin.stats;
  const wanted = Math.min(Number(size - range.offset), Number(range.length ?? size));
  if (wanted > MAX_UNARY_CONTENT_BYTES) throw tooLarge(asked, wanted);
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of readRange(file, target.pin.stats, range, asked)) {
    pieces.push(piece);
    length += piece.length;
    // Files of /proc don't say their size before.
    if (length > MAX_UNARY_CONTENT_BYTES) throw tooLarge(asked, length);
  }
  await refuseWrittenTo(file, target.pin.stats, asked);
  const [only] = pieces;
  const content = only !== undefined && pieces.length === 1 ? only : Buffer.concat(pieces);
  return { content, size: size > 0n ? size : range.offset + BigInt(length) };
}

/** How a file is streamed. */
export interface StreamOptions extends Range {
  /** Header and hash are told too. */
  readonly verify?: boolean | undefined;
  /** Version that the file must have; empty for any. */
  readonly ifVersion?: Uint8Array | undefined;
}

/** A piece of a stream. */
export interface StreamPiece {
  readonly data: Uint8Array;
  readonly header?: {
    readonly size: bigint;
    readonly mode: number;
    readonly mtimeMs: number;
    readonly version: Uint8Array;
  };
  /** Of the file up to the last byte that was sent. */
  readonly sha256?: Uint8Array;
}

const EMPTY = new Uint8Array();

/** Enough that no two versions of a file have the same by chance. */
const VERSION_BYTES = 16;

/**
 * A file of any size, or a range of it, piece by piece at the reader's pace. A
 * piece is the reader's until it asks for the next. Ends early when the signal aborts.
 */
export async function* streamContent(
  boundary: Boundary,
  path: string,
  { verify = false, ifVersion = new Uint8Array(), ...range }: StreamOptions,
  signal: AbortSignal,
): AsyncGenerator<StreamPiece> {
  try {
    const asked = expandPath(path, boundary.home);
    using target = await openTarget(boundary, asked);
    await using file = await openRegular(target.pin, asked);
    const { stats } = target.pin;
    const version = versionOf(stats);
    if (ifVersion.length > 0 && !version.equals(ifVersion)) throw changedSince(asked);
    const hash = verify ? createHash("sha256") : undefined;
    if (hash !== undefined) {
      const mode = Number(stats.mode) & PERMISSION_BITS;
      yield { data: EMPTY, header: { size: stats.size, mode, mtimeMs: mtimeOf(stats), version } };
      const before = { offset: 0n, length: range.offset };
      for await (const piece of readRange(file, stats, before, asked)) {
        if (signal.aborted) return;
        hash.update(piece);
      }
    }
    for await (const data of readAhead(readRange(file, stats, range, asked, alternatingBuffers()))) {
      if (signal.aborted) return;
      hash?.update(data);
      yield { data };
    }
    // Of a part that was asked for, nobody expects to fit to others.
    const whole = verify || (range.offset === 0n && range.length === undefined);
    if (whole) await refuseWrittenTo(file, stats, asked);
    if (hash !== undefined) yield { data: EMPTY, sha256: hash.digest() };
  } catch (thrown) {
    throw fileError(thrown, "read", path);
  }
}

/** Changes with a file's content, and also when another file takes its name. */
function versionOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): Buffer {
  return createHash("sha256")
    .update([dev, ino, size, mtimeNs, ctimeNs].join(" "))
    .digest()
    .subarray(0, VERSION_BYTES);
}

function changedSince(path: string): CmdopError {
  return new CmdopError("FileChanged", `${shown(path)} is not the file any more that it was.`, {
    next: "Read it again from its beginning.",
  });
}

/** Opens a held regular file for reading; refuses everything else before it is opened, since opening can act on a device. */
export async function openRegular(pin: Pin, path: string): Promise<FileHandle> {
  refuseIrregular(pin.stats, path);
  return open(pin.at, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
}

/** Refuses what has no content of its own. */
export function refuseIrregular(stats: BigIntStats, path: string): void {
  if (stats.isFile()) return;
  if (stats.isDirectory()) throw new CmdopError("IsADirectory", `${shown(path)} is a directory.`);
  throw new CmdopError("NotAFile", `${shown(path)} is a device, FIFO, socket or link, not a regular file.`);
}

/**
 * The bytes of a range in pieces of FILE_CHUNK_BYTES at most. A file that says
 * its size is read up to there, even while it grows; one that says 0 (as in
 * /proc) is read until it ends. Throws FileChanged where a file is cut short
 * underneath.
 */
export async function* readRange(
  file: FileHandle,
  { size }: BigIntStats,
  { offset, length }: Range,
  path: string,
  room: (bytes: number) => Buffer = Buffer.allocUnsafe,
): AsyncGenerator<Buffer> {
  const end = length === undefined ? Number.MAX_SAFE_INTEGER : Number(offset + length);
  const stop = Math.min(end, size > 0n ? Number(size) : Number.MAX_SAFE_INTEGER);
  const most = size > 0n ? FILE_CHUNK_BYTES : UNSIZED_READ_BYTES;
  for (let position = Number(offset); position < stop; ) {
    const wanted = Math.min(most, stop - position);
    const { bytesRead, buffer } = await file.read(room(wanted), 0, wanted, position);
    if (bytesRead === 0) {
      if (size === 0n || (await file.stat({ bigint: true })).size === size) return;
      throw new CmdopError("FileChanged", `${shown(path)} was cut short while it was being read.`, {
        next: "Read it again.",
      });
    }
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

/** Refuses what was read of a file that was written to meanwhile: it may be half the old content and half the new. A file that only grew has given what it was. */
export async function refuseWrittenTo(
  file: FileHandle,
  { size, mtimeNs }: BigIntStats,
  path: string,
): Promise<void> {
  // What does not say its size (as in /proc) is made anew for each reader.
  if (size === 0n) return;
  const now = await file.stat({ bigint: true });
  if (now.size !== size || now.mtimeNs === mtimeNs) return;
  throw new CmdopError("FileChanged", `${shown(path)} was written to while it was being read.`, {
    next: "Read it again; a file that never rests can be read in ranges.",
  });
}

function tooLarge(path: string, bytes: number): CmdopError {
  return new CmdopError(
    "MessageTooLarge",
    `${shown(path)} gives ${bytes} bytes or more; one answer carries ${MAX_UNARY_CONTENT_BYTES} at most.`,
    { next: "Read it as a stream (ReadStream, files.download), or in ranges." },
  );
}
