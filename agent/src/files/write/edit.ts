import { CmdopError } from "@cmdop/proto";
import { Shares } from "../../shares/shares.ts";
import type { Boundary } from "../place/boundary.ts";
import type { Entry } from "../place/entry.ts";
import { attempt } from "../place/errors.ts";
import { MAX_EDITS_AT_ONCE } from "../place/limits.ts";
import { refuseDirectoryName } from "../place/named-directory.ts";
import { expandPath } from "../place/path.ts";
import { openTarget } from "../place/resolve.ts";
import { checkedHash, hashOf, notMatching } from "../read/content-hash.ts";
import { openRegular, readRange } from "../read/read.ts";
import { Replacement } from "./replacement.ts";
import { refuseLarge, substituted } from "./substitute.ts";

/** What to replace by what. */
export interface EditOptions {
  /** The bytes to find: exactly, but for what ends their lines. */
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
 * Replaces text in a file, which keeps its ends of line. Where they match not at all, or
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
    const { after, replacements } = await substituted(before, { ...options, path: asked }, signal);
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
