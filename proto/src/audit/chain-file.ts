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

/** A hash in a file: base64url without padding. */
const HASH_CHARACTERS = 43;

/** The longest line: hash, space, body, newline. */
const MAX_LINE_BYTES = HASH_CHARACTERS + 1 + MAX_AUDIT_RECORD_BYTES + 1;

/** Read at once, in bytes. */
const READ_BYTES = 256 * 1024;

const NEWLINE = 0x0a;
const LINE_END = Buffer.of(NEWLINE);

const FILE_NAME = /^(\d{16})\.chain$/;

const headerSchema = z.strictObject({ chain: z.uuid(), first: z.int().min(1), previous: z.string() });

/** What the first line of a file says. */
export interface ChainFileHeader {
  readonly chain: string;
  /** The seq of the first record in it. */
  readonly first: number;
  /** The hash of the record before that. */
  readonly previous: Uint8Array;
}

/** One record as its file has it. */
export interface ChainLine {
  readonly body: Buffer;
  /** What was written beside it; whether it is right is for a verification to say. */
  readonly hash: Buffer;
}

/** The names of a chain's files. Where there is no directory yet, and a disk that lets none be made, there are none: a chain can begin later. */
export function chainFilesIn(directory: string): string[] {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    if (existsSync(directory)) throw diskError(thrown, "use", directory);
    // Node says ENOENT of a read-only disk here.
    const why = refusalOf(nearest(directory));
    if (why === undefined || !isDiskTrouble(why)) throw diskError(thrown, "make", directory);
    return [];
  }
  return readdirSync(directory).filter((name) => FILE_NAME.test(name));
}

/** The directory itself, or the nearest one above that there is. */
function nearest(directory: string): string {
  return existsSync(directory) ? directory : nearest(dirname(directory));
}

/** Makes a file with its header; mode 0600. */
export function createChainFile(path: string, { chain, first, previous }: ChainFileHeader): void {
  const header = { chain, first, previous: Buffer.from(previous).toString("base64url") };
  const fd = openSync(path, "wx", 0o600);
  try {
    writeWhole(fd, Buffer.from(`${JSON.stringify(header)}\n`), 0);
  } finally {
    closeSync(fd);
  }
}

/** A record to be written, and its hash. */
export interface HashedRecord {
  readonly hash: Uint8Array;
  readonly body: Uint8Array;
}

/** Appends records at `position` bytes, all of them or nothing, in one write; answers where the next one goes. */
export function writeLines(fd: number, position: number, records: readonly HashedRecord[]): number {
  const parts = records.flatMap(({ hash, body }) => [
    Buffer.from(`${Buffer.from(hash).toString("base64url")} `),
    body,
    LINE_END,
  ]);
  return writeWhole(fd, Buffer.concat(parts), position);
}

/** Bytes of a record in a file. */
export function lineBytes(body: Uint8Array): number {
  return HASH_CHARACTERS + 1 + body.length + 1;
}

/** A write that a full disk cuts off leaves nothing: half a line would be the next one's beginning. */
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

/** The records of a file from `start` bytes on, and nothing of a last line without its end. @throws CmdopError AuditBroken for what is no line */
export function* readRecords(path: string, start: number, end: number): Generator<ChainLine> {
  for (const line of linesOf(path, start, end)) yield recordOf(line, path);
}

/** Bytes of the file up to and with its last newline, and all its bytes. */
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
  throw new CmdopError("AuditBroken", `${path} has a line that is no record: somebody has written into it.`);
}

/** The record of a line without its newline; undefined for what is none. */
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

/** Whether a line is a file's first. */
export function isHeader(line: Buffer): boolean {
  return line.length <= MAX_LINE_BYTES && headerSchema.safeParse(parsed(line)).success;
}

/** Writes the newline that a file's last line lacks; answers with how many bytes the file then has. */
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

/** Opens a file for writing behind its last record: what follows there was never written whole. */
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

/** Whether a write met a limit on the size of files, which is no full disk: another file takes it. */
export function isFileTooLarge(thrown: unknown): boolean {
  return isErrno(thrown, "EFBIG");
}
