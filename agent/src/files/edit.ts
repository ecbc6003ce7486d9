import { CmdopError } from "@cmdop/proto";
import type { Boundary } from "./boundary.ts";
import { checkedHash, hashOf, notMatching } from "./content-hash.ts";
import type { Entry } from "./entry.ts";
import { attempt } from "./errors.ts";
import { MAX_EDIT_BYTES, MAX_EDITS_AT_ONCE } from "./limits.ts";
import { expandPath, shown } from "./path.ts";
import { openRegular, readRange } from "./read.ts";
import { Replacement } from "./replacement.ts";
import { openTarget } from "./resolve.ts";
import { Slots } from "./slots.ts";

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

const slots = new Slots(MAX_EDITS_AT_ONCE);

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
    using _ = await slots.enter(signal, "edit", asked);
    const before = await readSmall(boundary, asked);
    const hash = hashOf(before);
    if (expected !== undefined && !hash.equals(expected)) {
      throw notMatching(asked, "does not have the expected content");
    }
    const { after, replacements } = replaced(before, options, asked);
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

function replaced(
  before: Buffer,
  { old, new: substitute, all }: EditOptions,
  path: string,
): { after: Buffer; replacements: number } {
  const starts: number[] = [];
  let count = 0;
  for (let at = before.indexOf(old); at !== -1; at = before.indexOf(old, at + old.length)) {
    count += 1;
    if (all || count === 1) starts.push(at);
  }
  if (count === 0 || (count > 1 && !all)) throw ambiguous(count, path);
  refuseLarge(before.length + count * (substitute.length - old.length), path);
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const start of starts) {
    pieces.push(before.subarray(from, start), substitute);
    from = start + old.length;
  }
  pieces.push(before.subarray(from));
  return { after: Buffer.concat(pieces), replacements: starts.length };
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
