import { CmdopError } from "@cmdop/proto";
import { Shares } from "../../shares/shares.ts";
import type { Boundary } from "../place/boundary.ts";
import type { Entry } from "../place/entry.ts";
import { attempt, stopIfCanceled } from "../place/errors.ts";
import { MAX_EDIT_BYTES, MAX_EDITS_AT_ONCE } from "../place/limits.ts";
import { refuseDirectoryName } from "../place/named-directory.ts";
import { expandPath, shown } from "../place/path.ts";
import { openTarget } from "../place/resolve.ts";
import { checkedHash, hashOf, notMatching } from "../read/content-hash.ts";
import { openRegular, readRange } from "../read/read.ts";
import { occurrences } from "./occurrences.ts";
import { Replacement } from "./replacement.ts";

/** What to replace by what. */
export interface EditOptions {
  /** The exact bytes to find. */
  readonly old: Uint8Array;
  readonly new: Uint8Array;
  /** Replace every match; otherwise there must be exactly one. */
  readonly all: boolean;
  /** SHA-256 that the content must have. */
  readonly ifMatch?: Uint8Array | undefined;
}

const edits = new Shares({
  capacity: MAX_EDITS_AT_ONCE,
  what: "edits",
  next: "Try again when one of them is over.",
});

/**
 * Replaces exact bytes in a file, atomically. Where they match not at all, or
 * more than once without `all`, nothing is changed. What somebody else writes
 * while the edit is under way is never overwritten: FileChanged.
 */
export function edit(
  boundary: Boundary,
  path: string,
  options: EditOptions,
  signal: AbortSignal,
): Promise<{ entry: Entry; replacements: number }> {
  return attempt("edit", path, async () => {
    const asked = expandPath(path, boundary.home);
    const expected = checkedHash(options.ifMatch);
    if (options.old.length === 0) {
      throw new CmdopError("InvalidArgument", "The text to replace is empty.", {
        next: "Give the exact text that stands in the file; to make or overwrite a file, write it.",
      });
    }
    await refuseDirectoryName(boundary, path);
    using _ = await edits.enter(boundary.key ?? "", signal);
    const before = await readSmall(boundary, asked);
    const hash = hashOf(before);
    if (expected !== undefined && !hash.equals(expected)) {
      throw notMatching(asked, "does not have the expected content");
    }
    const { after, replacements } = await replaced(before, options, asked, signal);
    await using replacement = await Replacement.open(boundary, asked, {
      parents: false,
      ifMatch: hash,
    });
    await replacement.write(after);
    return { entry: await replacement.commit(), replacements };
  });
}

/** A whole file of bounded size. */
async function readSmall(boundary: Boundary, path: string): Promise<Buffer> {
  using target = await openTarget(boundary, path, "write");
  await using file = await openRegular(target.pin, path);
  refuseLarge(target.pin.stats.size, path);
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of readRange(file, target.pin.stats, { offset: 0n }, path)) {
    bytes += piece.length;
    // Files of /proc don't say their size before.
    refuseLarge(bytes, path);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function refuseLarge(bytes: bigint | number, path: string): void {
  if (bytes <= MAX_EDIT_BYTES) return;
  throw new CmdopError(
    "LimitExceeded",
    `${shown(path)} has, or would have, more than the ${MAX_EDIT_BYTES} bytes that edit works on.`,
    { next: "Use a command (sed), or read, change and write it as a stream with ifMatch." },
  );
}

/** The new content. The old one is gone through twice, so that nothing is kept of the matches but their number. */
async function replaced(
  before: Buffer,
  { old, new: substitute, all }: EditOptions,
  path: string,
  signal: AbortSignal,
): Promise<{ after: Buffer; replacements: number }> {
  let count = 0;
  for await (const _ of occurrences(before, old, signal)) count += 1;
  stopIfCanceled(signal, "edit", path);
  if (count === 0 || (count > 1 && !all)) throw ambiguous(count, path);
  const length = before.length + count * (substitute.length - old.length);
  refuseLarge(length, path);
  const after = Buffer.allocUnsafe(length);
  let from = 0;
  let to = 0;
  for await (const start of occurrences(before, old, signal)) {
    to += before.copy(after, to, from, start);
    after.set(substitute, to);
    to += substitute.length;
    from = start + old.length;
  }
  stopIfCanceled(signal, "edit", path);
  before.copy(after, to, from);
  return { after, replacements: count };
}

function ambiguous(count: number, path: string): CmdopError {
  if (count === 0) {
    return new CmdopError("InvalidArgument", `The text to replace does not occur in ${shown(path)}.`, {
      next: "Read the file and copy the text exactly: spaces, tabs and line ends count.",
    });
  }
  return new CmdopError("InvalidArgument", `The text to replace occurs ${count} times in ${shown(path)}.`, {
    next: "Give more of the text around it, so that it is unique, or say all to replace every one.",
  });
}
