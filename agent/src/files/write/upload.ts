import { timingSafeEqual } from "node:crypto";
import { lstat, unlink } from "node:fs/promises";
import { posix } from "node:path";
import { onAbort, unless } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import type { Boundary } from "../place/boundary.ts";
import type { Entry } from "../place/entry.ts";
import { attempt } from "../place/errors.ts";
import { MAX_UNFINISHED } from "../place/limits.ts";
import { refuseDirectoryName } from "../place/named-directory.ts";
import { expandPath, shown } from "../place/path.ts";
import { childOf } from "../place/pin.ts";
import { partialName, type Writing } from "../unfinished/partials.ts";
import { openDestination, Replacement, type WriteOptions } from "./replacement.ts";

/** The writer's word that this is all: without it nothing is committed. */
export interface Finish {
  /** Bytes in all. */
  readonly size: bigint;
  /** Of the whole content. */
  readonly sha256: Uint8Array;
}

/** How an upload is written. */
export interface UploadOptions extends Omit<WriteOptions, "partial"> {
  /** Its name, where it can be resumed; none or empty where it can't. */
  readonly upload?: Uint8Array | undefined;
}

/** The name of an upload that has none. */
const NOT_RESUMED = new Uint8Array();

/** A piece of an upload. */
export interface UploadPiece {
  readonly data: Uint8Array;
  readonly finish?: Finish | undefined;
  /** The last piece for now: what has arrived is to be kept. */
  readonly keep?: boolean | undefined;
}

/** What a stream of an upload came to: the file, or how many bytes are kept of it. */
export type Received =
  | { readonly entry: Entry; readonly kept?: undefined }
  | { readonly entry?: undefined; readonly kept: bigint };

/**
 * Replaces a file with content that arrives in pieces. The finish commits, if
 * its size and hash are right; the end of the pieces alone means that their
 * sender went away, however properly it looks, and changes nothing.
 */
export function receiveContent(
  boundary: Boundary,
  path: string,
  pieces: AsyncIterable<UploadPiece>,
  { upload = NOT_RESUMED, ...options }: UploadOptions,
): Promise<Received> {
  return attempt("write", path, async () => {
    const asked = expandPath(path, boundary.home);
    await refuseDirectoryName(boundary, path);
    const partial = keptName(boundary, upload);
    using writing =
      partial === undefined ? undefined : await boundary.unfinished?.partials.enter(asked, partial);
    await using replacement = await Replacement.open(boundary, asked, {
      ...options,
      partial,
      kept: writing?.kept,
    });
    const arriving = stoppable(pieces, writing?.signal, asked);
    for (;;) {
      const { data, finish, keep } = await nextOf(arriving, asked, replacement, writing);
      await replacement.write(data);
      if (finish !== undefined) {
        check(finish, replacement.sealed(), asked);
        const entry = await replacement.commit();
        writing?.done(entry);
        return { entry };
      }
      if (keep !== true) continue;
      if (writing === undefined || !replacement.canBeKept) throw notKept(upload, asked);
      writing.leave(await replacement.keep());
      return { kept: replacement.size };
    }
  });
}

function notKept(upload: Uint8Array, path: string): CmdopError {
  if (upload.length === 0) {
    return new CmdopError("InvalidArgument", `The upload to ${shown(path)} has no name to be kept under.`);
  }
  return new CmdopError(
    "LimitExceeded",
    `What has arrived for ${shown(path)} can't be kept: there are ${MAX_UNFINISHED} things unfinished on the machine.`,
    {
      next: "Upload it again when other uploads are done; those that nobody resumes are removed after a day.",
    },
  );
}

/** The next piece. Where none comes, the writer has gone: what has arrived may be kept for it. */
async function nextOf(
  pieces: AsyncIterator<UploadPiece>,
  path: string,
  replacement: Replacement,
  writing: Writing | undefined,
): Promise<UploadPiece> {
  try {
    const next = await pieces.next();
    if (next.done !== true) return next.value;
    throw new CmdopError(
      "FileChanged",
      `The upload to ${shown(path)} ended after ${replacement.size} bytes without its finish; the file is unchanged.`,
    );
  } catch (thrown) {
    if (replacement.size > 0n && replacement.canBeKept) writing?.leave(await replacement.keep());
    throw thrown;
  }
}

/** The name of what is kept; undefined where nothing is to be, or where too much is already. */
function keptName(boundary: Boundary, upload: Uint8Array): string | undefined {
  const name = partialName(upload);
  const { unfinished } = boundary;
  if (name === undefined || unfinished === undefined) return undefined;
  return unfinished.isCrowded ? undefined : name;
}

/** The pieces, until the signal aborts: another stream goes on then. */
async function* stoppable(
  pieces: AsyncIterable<UploadPiece>,
  signal: AbortSignal | undefined,
  path: string,
): AsyncGenerator<UploadPiece> {
  if (signal === undefined) return yield* pieces;
  const iterator = pieces[Symbol.asyncIterator]();
  for (;;) {
    const next = await unlessAborted(iterator.next(), signal);
    if (next === undefined) {
      throw new CmdopError("LinkLost", `Another stream goes on with the upload to ${shown(path)}.`);
    }
    if (next.done === true) return;
    yield next.value;
  }
}

/** What a promise brings, or undefined when the signal aborts first. A race with one promise for all pieces would keep each of them in memory until that one settles. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
  const stopListening = onAbort(signal, () => resolve(undefined));
  work.then(resolve, reject);
  try {
    return await promise;
  } finally {
    stopListening();
  }
}

/** How many bytes of an upload are there, or what it came to. Whatever still writes to it is stopped. */
export function findPartial(
  boundary: Boundary,
  path: string,
  { upload, discard }: { readonly upload: Uint8Array; readonly discard: boolean },
): Promise<{ size: bigint; entry?: Entry }> {
  return attempt("look for an upload to", path, async () => {
    const asked = expandPath(path, boundary.home);
    const name = partialName(upload);
    const { unfinished } = boundary;
    if (name === undefined || unfinished === undefined) return { size: 0n };
    await unfinished.partials.stop(asked, name);
    const entry = unfinished.partials.committed(asked, name);
    if (entry !== undefined) return { size: entry.size, entry };
    const found = await unless(["ENOENT"], openDestination(boundary, asked, false));
    if (found === undefined) return { size: 0n };
    using place = found;
    if (!unfinished.isUpload(posix.dirname(place.path), name)) return { size: 0n };
    const at = childOf(place.directory, name);
    if (discard) {
      await unless(["ENOENT"], unlink(at));
      unfinished.forget(name);
      return { size: 0n };
    }
    const stats = await unless(["ENOENT"], lstat(at, { bigint: true }));
    return { size: stats?.isFile() === true ? stats.size : 0n };
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
