import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { isErrno } from "@cmdop/kit";
import { z } from "zod";
import { diskError, isDiskTrouble, refusalOf } from "../disk.ts";
import { CmdopError } from "../errors/cmdop-error.ts";
import { CHAIN_HASH_BYTES, MAX_AUDIT_RECORD_BYTES } from "./chain.ts";

/** Length of a hash in a file: base64url without padding. */
const HASH_CHARACTERS = 43;

/** Longest line: hash, space, body, newline. */
const MAX_LINE_BYTES = HASH_CHARACTERS + 1 + MAX_AUDIT_RECORD_BYTES + 1;

/** Bytes that are read at once. */
const READ_BYTES = 256 * 1024;

const NEWLINE = 0x0a;
const LINE_END = Buffer.of(NEWLINE);

const FILE_NAME = /^(\d{16})\.chain$/;

const headerSchema = z.strictObject({ chain: z.uuid(), first: z.int().min(1), previous: z.string() });

/** The content of a file's first line. */
export interface ChainFileHeader {
  readonly chain: string;
  /** Seq of the first record in the file. */
  readonly first: number;
  /** Hash of the record before that. */
  readonly previous: Uint8Array;
}

/** A record as stored in its file. */
export interface ChainLine {
  readonly body: Buffer;
  /** The hash that was stored with it. A verification must check it. */
  readonly hash: Buffer;
}

/**
 * Returns the names of a chain's files. If the directory is missing and the disk allows none to be made,
 * there are none: the chain can begin later.
 */
export function chainFilesIn(directory: string): string[] {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    if (existsSync(directory)) throw diskError(thrown, "use", directory);
    // Node reports ENOENT for a read-only disk here.
    const why = refusalOf(nearest(directory));
    if (why === undefined || !isDiskTrouble(why)) throw diskError(thrown, "make", directory);
    return [];
  }
  return readdirSync(directory).filter((name) => FILE_NAME.test(name));
}

/** Returns the directory itself, or its nearest existing parent. */
function nearest(directory: string): string {
  return existsSync(directory) ? directory : nearest(dirname(directory));
}

/** Makes a file with its header, mode 0600. */
export function createChainFile(path: string, { chain, first, previous }: ChainFileHeader): void {
  const header = { chain, first, previous: Buffer.from(previous).toString("base64url") };
  const fd = openSync(path, "wx", 0o600);
  try {
    writeWhole(fd, Buffer.from(`${JSON.stringify(header)}\n`), 0);
  } finally {
    closeSync(fd);
  }
}

/** A record to be written, with its hash. */
export interface HashedRecord {
  readonly hash: Uint8Array;
  readonly body: Uint8Array;
}

/** Writes records at `position`, in bytes, all of them or none. Returns the position of the next record. */
export function writeLines(fd: number, position: number, records: readonly HashedRecord[]): number {
  const parts = records.flatMap(({ hash, body }) => [
    Buffer.from(`${Buffer.from(hash).toString("base64url")} `),
    body,
    LINE_END,
  ]);
  return writeWhole(fd, Buffer.concat(parts), position);
}

/** Returns the bytes of a record in a file. */
export function lineBytes(body: Uint8Array): number {
  return HASH_CHARACTERS + 1 + body.length + 1;
}

/**
 * Writes all bytes or none: if a full disk cuts the write off, its part is removed, because half a line would
 * become the start of the next one.
 */
function writeWhole(fd: number, bytes: Uint8Array, position: number): number {
  try {
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(fd, bytes, written, bytes.length - written, position + written);
    }
  } catch (thrown) {
    ftruncateSync(fd, position);
    throw thrown;
  }
  return position + bytes.length;
}

/** Reads the header of a file. @throws CmdopError AuditBroken */
export function readHeader(path: string): ChainFileHeader & { readonly bytes: number } {
  for (const line of linesOf(path, 0)) {
    const checked = headerSchema.safeParse(parsed(line));
    if (!checked.success) break;
    const previous = Buffer.from(checked.data.previous, "base64url");
    if (previous.length !== CHAIN_HASH_BYTES) break;
    return { ...checked.data, previous, bytes: line.length + 1 };
  }
  throw new CmdopError("AuditBroken", `${path} does not begin as an audit file does: it is damaged.`);
}

/**
 * Reads the records of a file from `start` to `end`, in bytes, without an incomplete last line.
 * @throws CmdopError AuditBroken for a line that is not a record
 */
export function* readRecords(path: string, start: number, end: number): Generator<ChainLine> {
  for (const line of linesOf(path, start, end)) yield recordOf(line, path);
}

/** Returns the bytes of a file up to and including its last newline, and its size. */
export function wholeLines(path: string): { whole: number; bytes: number } {
  const fd = openSync(path, "r");
  try {
    const bytes = fstatSync(fd).size;
    const tail = Buffer.alloc(Math.min(bytes, MAX_LINE_BYTES));
    readSync(fd, tail, 0, tail.length, bytes - tail.length);
    return { whole: bytes - tail.length + tail.lastIndexOf(NEWLINE) + 1, bytes };
  } finally {
    closeSync(fd);
  }
}

function recordOf(line: Buffer, path: string): ChainLine {
  const record = lineOf(line);
  if (record !== undefined) return record;
  throw new CmdopError(
    "AuditBroken",
    `${path} has a line that is not a record: somebody has written into it.`,
  );
}

/** Parses a line without its newline; undefined if it is not a record. */
export function lineOf(line: Buffer): ChainLine | undefined {
  const hash = Buffer.from(line.subarray(0, HASH_CHARACTERS).toString("latin1"), "base64url");
  if (hash.length !== CHAIN_HASH_BYTES || line[HASH_CHARACTERS] !== 0x20) return undefined;
  return { hash, body: line.subarray(HASH_CHARACTERS + 1) };
}

function* linesOf(path: string, start: number, end = Number.MAX_SAFE_INTEGER): Generator<Buffer> {
  const fd = openSync(path, "r");
  try {
    let rest = Buffer.alloc(0);
    for (let position = start; position < end; ) {
      const chunk = Buffer.alloc(Math.min(READ_BYTES, end - position));
      const bytes = readSync(fd, chunk, 0, chunk.length, position);
      if (bytes === 0) return;
      position += bytes;
      const held = Buffer.concat([rest, chunk.subarray(0, bytes)]);
      let from = 0;
      for (let at = held.indexOf(NEWLINE); at !== -1; at = held.indexOf(NEWLINE, from)) {
        yield held.subarray(from, at);
        from = at + 1;
      }
      rest = held.subarray(from);
      if (rest.length > MAX_LINE_BYTES) {
        throw new CmdopError(
          "AuditBroken",
          `${path} has a line longer than any record: somebody has written into it.`,
        );
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** True if a line is the header of a file. */
export function isHeader(line: Buffer): boolean {
  return line.length <= MAX_LINE_BYTES && headerSchema.safeParse(parsed(line)).success;
}

/** Adds the missing newline of a file's last line; returns the new size of the file. */
export function endLine(path: string, bytes: number): number {
  const fd = openSync(path, "r+");
  try {
    return writeWhole(fd, LINE_END, bytes);
  } finally {
    closeSync(fd);
  }
}

function parsed(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString());
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

/**
 * Opens a file for writing after its last record, and cuts off everything behind that: it was never written
 * completely.
 */
export function openChainFile(file: { readonly path: string; readonly bytes: number }): number {
  const fd = openSync(file.path, "r+");
  try {
    ftruncateSync(fd, file.bytes);
    return fd;
  } catch (thrown) {
    closeSync(fd);
    throw thrown;
  }
}

/**
 * True if a write failed because of a limit on file sizes. The disk is not full then, and another file can
 * take the record.
 */
export function isFileTooLarge(thrown: unknown): boolean {
  return isErrno(thrown, "EFBIG");
}
