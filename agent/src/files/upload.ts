import { timingSafeEqual } from "node:crypto";
import { CmdopError } from "@cmdop/proto";
import type { Boundary } from "./boundary.ts";
import type { Entry } from "./entry.ts";
import { attempt } from "./errors.ts";
import { expandPath, shown } from "./path.ts";
import { Replacement, type WriteOptions } from "./replacement.ts";

/** The writer's word that this is all: without it nothing is committed. */
export interface Finish {
  /** Bytes in all. */
  readonly size: bigint;
  /** Of the whole content. */
  readonly sha256: Uint8Array;
}

/** A piece of an upload. */
export interface UploadPiece {
  readonly data: Uint8Array;
  readonly finish?: Finish | undefined;
}

/**
 * Replaces a file with content that arrives in pieces. The finish commits, if
 * its size and hash are right; the end of the pieces alone means that their
 * sender went away, however properly it looks, and changes nothing.
 */
export function receiveContent(
  boundary: Boundary,
  path: string,
  pieces: AsyncIterable<UploadPiece>,
  options: WriteOptions,
): Promise<Entry> {
  return attempt("write", path, async () => {
    const asked = expandPath(path, boundary.home);
    await using replacement = await Replacement.open(boundary, asked, options);
    for await (const { data, finish } of pieces) {
      await replacement.write(data);
      if (finish === undefined) continue;
      check(finish, replacement.sealed(), asked);
      return await replacement.commit();
    }
    throw new CmdopError(
      "FileChanged",
      `The upload to ${shown(asked)} ended after ${replacement.size} bytes without its finish; the file is unchanged.`,
    );
  });
}

function check(said: Finish, arrived: Finish, path: string): void {
  const whole =
    said.size === arrived.size &&
    said.sha256.length === arrived.sha256.length &&
    timingSafeEqual(said.sha256, arrived.sha256);
  if (whole) return;
  const why =
    said.size === arrived.size
      ? "their SHA-256 is not the announced one"
      : `${said.size} bytes were announced`;
  throw new CmdopError(
    "FileChanged",
    `The upload to ${shown(path)} brought ${arrived.size} bytes, but ${why}; the file is unchanged.`,
  );
}
