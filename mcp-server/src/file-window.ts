import { type ByteWindow, nextLine, OpenedText, type ReadAt, type TextEncodingName } from "@cmdop/proto";
import { DEFAULT_READ_BYTES, LINE_SCAN_CHUNK_BYTES, MAX_LINE_SCAN_BYTES } from "./limits.ts";
import { OwnError } from "./own-error.ts";

/** A part of a file, with the line that it begins with where that is known. */
export interface FileWindow {
  readonly opened: OpenedText;
  readonly window: ByteWindow;
  readonly firstLine: number | undefined;
}

/** The part from `offset` on, `length` bytes at most. */
export async function readBytes(
  readAt: ReadAt,
  { offset, length }: { offset: number; length: number },
): Promise<FileWindow> {
  const opened = await OpenedText.open(readAt);
  const window = await opened.window(offset, length);
  return { opened, window, firstLine: offset === 0 ? 1 : undefined };
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
  const opened = await OpenedText.open(readAt);
  const { detected } = opened;
  const encoding = detected.kind === "text" ? detected.encoding : "utf-8";
  const offset = await findLine(opened, path, startLine, encoding);
  const window = await opened.window(offset, DEFAULT_READ_BYTES);
  const { bytes, nextOffset } = window;
  const lines = endOfLines(bytes, lineCount, encoding);
  // Whole lines, unless the first one alone is too long.
  const isCut = !lines.all && nextOffset !== null;
  const end = lines.all || (isCut && lines.end > 0) ? lines.end : bytes.length;
  const isLast = nextOffset === null && end === bytes.length;
  const within = { bytes: bytes.subarray(0, end), offset, nextOffset: isLast ? null : offset + end };
  return { opened, window: within, firstLine: startLine };
}

/** The offset of a line's first byte. */
async function findLine(
  opened: OpenedText,
  path: string,
  wantedLine: number,
  encoding: TextEncodingName,
): Promise<number> {
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
    const chunk = await opened.read(offset, LINE_SCAN_CHUNK_BYTES);
    let from = 0;
    while (line < wantedLine) {
      const newline = nextLine(chunk, from, encoding);
      if (newline === undefined) break;
      from = newline.at + newline.bytes;
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

/** Where the given number of lines ends, or the last whole one of fewer. */
function endOfLines(
  bytes: Uint8Array,
  lineCount: number,
  encoding: TextEncodingName,
): { readonly end: number; readonly all: boolean } {
  let end = 0;
  for (let lines = 0; lines < lineCount; lines += 1) {
    const newline = nextLine(bytes, end, encoding);
    if (newline === undefined) return { end, all: false };
    end = newline.at + newline.bytes;
  }
  return { end, all: true };
}
