import { CmdopError } from "@cmdop/proto";
import { stopIfCanceled } from "../place/errors.ts";
import { MAX_EDIT_BYTES } from "../place/limits.ts";
import { shown } from "../place/path.ts";
import {
  endsWithCr,
  exactMatches,
  folded,
  hasLoneCr,
  type Line,
  lineMatches,
  linesOf,
  type Match,
} from "./line-ends.ts";
import { nearest } from "./nearest.ts";

/** What is replaced by what, in which file. */
export interface Substitution {
  readonly path: string;
  readonly old: Uint8Array;
  readonly new: Uint8Array;
  /** Every match; otherwise there must be exactly one. */
  readonly all: boolean;
}

/**
 * The content with a text replaced, and how often. The text is found whatever
 * ends its lines and the file's, and what takes its place has the file's ends of
 * line; but where both differ in nothing else, just they are changed. The old
 * content is gone through twice, so that nothing is kept of the matches but their
 * number.
 */
export async function substituted(
  before: Buffer,
  wanted: Substitution,
  signal: AbortSignal,
): Promise<{ after: Buffer; replacements: number }> {
  const { path, old, all } = wanted;
  const isMac = endsWithCr(before);
  const lines = linesOf(wanted.new, isMac);
  const isAboutEnds = Buffer.from(folded(old, isMac)).equals(folded(wanted.new, isMac));
  let find = isAboutEnds || hasLoneCr(old) ? exactMatches : lineMatches;
  let found = await measured(find(before, old, signal), before, lines, path);
  if (found.count === 0 && find === exactMatches) {
    find = lineMatches;
    found = await measured(find(before, old, signal), before, lines, path);
  }
  stopIfCanceled(signal, "edit", path);
  if (found.count === 0) throw await absent(before, wanted, signal);
  if (found.count > 1 && !all) throw ambiguous(found.count, path);
  const after = Buffer.allocUnsafe(found.length);
  let from = 0;
  let to = 0;
  for await (const match of find(before, old, signal)) {
    to += before.copy(after, to, from, match.start);
    for (const piece of piecesOf(lines, match)) {
      after.set(piece, to);
      to += piece.length;
    }
    from = match.end;
  }
  stopIfCanceled(signal, "edit", path);
  before.copy(after, to, from);
  return { after, replacements: found.count };
}

/** Refuses a file, before or after, that is too large. */
export function refuseLarge(bytes: bigint | number, path: string): void {
  if (bytes <= MAX_EDIT_BYTES) return;
  throw new CmdopError(
    "LimitExceeded",
    `${shown(path)} has, or would have, more than the ${MAX_EDIT_BYTES} bytes that edit works on.`,
    { next: "Use a command (sed), or read, change and write it as a stream with ifMatch." },
  );
}

/** How many matches there are, and the bytes of the new content. */
async function measured(
  matches: AsyncIterable<Match>,
  before: Buffer,
  lines: readonly Line[],
  path: string,
): Promise<{ count: number; length: number }> {
  let count = 0;
  let length = before.length;
  let added = 0;
  for await (const match of matches) {
    count += 1;
    length -= match.end - match.start;
    for (const piece of piecesOf(lines, match)) added += piece.length;
    // What is still to be taken away is counted by then, or not at all.
    refuseLarge(added, path);
  }
  refuseLarge(length + added, path);
  return { count, length: length + added };
}

/** What takes a match's place. */
function* piecesOf(lines: readonly Line[], match: Match): Generator<Uint8Array> {
  for (const [nth, { text, end }] of lines.entries()) {
    yield text;
    if (end.length > 0) yield match.lineEnd(nth) ?? end;
  }
}

async function absent(before: Buffer, { old, path }: Substitution, signal: AbortSignal): Promise<CmdopError> {
  const hint = await nearest(before, old, signal);
  stopIfCanceled(signal, "edit", path);
  const where = hint === undefined ? "" : ` ${hint}`;
  return new CmdopError("InvalidArgument", `The text to replace does not occur in ${shown(path)}.${where}`, {
    next: "Read the file and copy the text exactly: spaces and tabs count; line ends may be either kind.",
  });
}

function ambiguous(count: number, path: string): CmdopError {
  return new CmdopError("InvalidArgument", `The text to replace occurs ${count} times in ${shown(path)}.`, {
    next: "Give more of the text around it, so that it is unique, or say all to replace every one.",
  });
}
