import { DEFAULT_READ_BYTES, LINE_SCAN_CHUNK_BYTES, MAX_LINE_SCAN_BYTES } from "./limits.ts";
import { OwnError } from "./own-error.ts";
import { brokenEnd, brokenStart, MAX_BROKEN_BYTES, openCharacter, textOf } from "./utf8.ts";

const NEWLINE = 0x0a;

/** Reads up to `length` bytes at `offset`; fewer only at the end of the file. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

/** A part of a file, as a model gets it. */
export interface FileWindow {
  readonly encoding: "utf8" | "base64";
  readonly content: string;
  /** The first byte of content in the file: a little behind the one asked for if that was inside a character. */
  readonly offset: number;
  readonly bytes: number;
  /** Where the rest begins; null at the end of the file. */
  readonly nextOffset: number | null;
}

/**
 * The part from `offset` on, `length` bytes at most. It is cut between
 * characters, so that parts read one after the other make the file whole.
 */
export async function readBytes(
  readAt: ReadAt,
  { offset, length }: { offset: number; length: number },
): Promise<FileWindow> {
  // What comes before tells whether the offset lies inside a character; one byte more than wanted, whether the file goes on.
  const before = Math.min(offset, MAX_BROKEN_BYTES);
  const bytes = await readAt(offset - before, before + length + 1);
  const within = bytes.subarray(before, before + length);
  return windowOf(within, {
    offset,
    more: bytes.length > before + length,
    // Windows that are smaller than a character are not cut between characters either.
    missing: length > MAX_BROKEN_BYTES ? openCharacter(bytes.subarray(0, before)).missing : 0,
  });
}

/**
 * The lines from `startLine` on, as many as asked for or as fit into
 * DEFAULT_READ_BYTES; a single line that is longer is cut.
 */
export async function readLines(
  readAt: ReadAt,
  path: string,
  { startLine, lineCount = Number.POSITIVE_INFINITY }: { startLine: number; lineCount?: number | undefined },
): Promise<FileWindow> {
  const offset = await findLine(readAt, path, startLine);
  const bytes = await readAt(offset, DEFAULT_READ_BYTES + 1);
  const within = bytes.subarray(0, DEFAULT_READ_BYTES);
  const isCut = bytes.length > within.length;
  const wanted = endOfLines(within, lineCount);
  // Whole lines, unless the first one alone is too long.
  const end = wanted ?? (isCut ? within.lastIndexOf(NEWLINE) + 1 || within.length : within.length);
  return windowOf(within.subarray(0, end), { offset, more: end < bytes.length, missing: 0 });
}

/** The offset of a line's first byte. */
async function findLine(readAt: ReadAt, path: string, wantedLine: number): Promise<number> {
  let line = 1;
  let offset = 0;
  while (line < wantedLine) {
    if (offset >= MAX_LINE_SCAN_BYTES) {
      throw new OwnError(
        "LimitExceeded",
        `Line ${wantedLine} of ${path} lies behind the first ${MAX_LINE_SCAN_BYTES} bytes, which is as far as lines are counted.`,
        { next: "Read by offset, or use sed -n in terminal_execute." },
      );
    }
    const chunk = await readAt(offset, LINE_SCAN_CHUNK_BYTES);
    let from = 0;
    while (line < wantedLine) {
      const newline = chunk.indexOf(NEWLINE, from);
      if (newline === -1) break;
      from = newline + 1;
      line += 1;
    }
    if (line === wantedLine) return offset + from;
    if (chunk.length < LINE_SCAN_CHUNK_BYTES) {
      throw new OwnError(
        "InvalidArgument",
        `${path} has only ${line} lines: there is no line ${wantedLine}.`,
        {
          next: "Ask for an earlier start_line.",
        },
      );
    }
    offset += chunk.length;
  }
  return offset;
}

/** Where the given number of lines ends; undefined where there are fewer. */
function endOfLines(bytes: Uint8Array, lineCount: number): number | undefined {
  let end = 0;
  for (let lines = 0; lines < lineCount; lines += 1) {
    const newline = bytes.indexOf(NEWLINE, end);
    if (newline === -1) return undefined;
    end = newline + 1;
  }
  return end;
}

/** `missing` is how many bytes a character lacks that began before the offset. */
function windowOf(
  bytes: Uint8Array,
  { offset, more, missing }: { offset: number; more: boolean; missing: number },
): FileWindow {
  const skipped = Math.min(missing, brokenStart(bytes));
  const end = bytes.length - (more ? brokenEnd(bytes) : 0);
  const text = skipped < end ? textOf(bytes.subarray(skipped, end)) : undefined;
  if (text !== undefined) return result("utf8", text, skipped, end);
  // What is no text is given as it was asked for; a part within one character must still get the reader further.
  const kept = bytes.subarray(0, end > 0 ? end : bytes.length);
  return result(bytes.length === 0 ? "utf8" : "base64", Buffer.from(kept).toString("base64"), 0, kept.length);

  function result(encoding: FileWindow["encoding"], content: string, from: number, to: number): FileWindow {
    return {
      encoding,
      content,
      offset: offset + from,
      bytes: to - from,
      nextOffset: more ? offset + to : null,
    };
  }
}
