import type { Skipped } from "../place/entry.ts";

import { shown } from "../place/path.ts";
import type { Pin } from "../place/pin.ts";
import { openRegular, readRange } from "../read/read.ts";
import type { LineMatch } from "./line-matcher.ts";
import type { Matcher } from "./matcher.ts";
import { MAX_LINE_BYTES } from "./thread-limits.ts";

/** How contents are searched, and how many have been. */
export interface FileSearch {
  readonly matcher: Matcher;
  /** Of larger files nothing is looked at. */
  readonly maxBytes: bigint;
  searched: bigint;
}

/** What one file gives. */
type Finding =
  | { readonly kind: "match"; readonly path: string; readonly match: LineMatch }
  | { readonly kind: "skipped"; readonly skipped: Skipped };

/** The matching lines of a held file. Throws what reading it throws. */
export async function* contentMatches(search: FileSearch, pin: Pin, path: string): AsyncGenerator<Finding> {
  await using file = await openRegular(pin, path);
  if (pin.stats.size > search.maxBytes) return yield tooLarge(search, path);
  search.searched += 1n;
  let longLine = false;
  let bytes = 0n;
  for await (const { piece, first, last } of marked(readRange(file, pin.stats, { offset: 0n }, path))) {
    bytes += BigInt(piece.length);
    // Files of /proc don't say their size before, and some have no end.
    if (bytes > search.maxBytes) return yield tooLarge(search, path);
    let answer = await search.matcher.piece(piece, { first, last });
    for (;;) {
      for (const match of answer.matches) yield { kind: "match", path, match };
      if (!answer.more) break;
      answer = await search.matcher.more();
    }
    longLine ||= answer.longLine;
    if (answer.binary) return yield skipped(path, "binary", "is binary, no text");
  }
  if (longLine)
    yield skipped(
      path,
      "long_line",
      `has a line over ${MAX_LINE_BYTES} bytes; only its beginning was searched`,
    );
}

function tooLarge({ maxBytes }: FileSearch, path: string): Finding {
  return skipped(path, "too_large", `has more than the ${maxBytes} bytes that were to be searched`);
}

function skipped(path: string, reason: Skipped["reason"], why: string): Finding {
  return { kind: "skipped", skipped: { path, reason, message: `${shown(path)} ${why}.` } };
}

/** Pieces, told which is the first and which the last; one empty piece where there is none. */
async function* marked(
  pieces: AsyncIterable<Buffer>,
): AsyncGenerator<{ piece: Uint8Array; first: boolean; last: boolean }> {
  let held: Buffer | undefined;
  let first = true;
  for await (const piece of pieces) {
    if (held !== undefined) {
      yield { piece: held, first, last: false };
      first = false;
    }
    held = piece;
  }
  yield { piece: held ?? new Uint8Array(), first, last: true };
}
