import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { type Boundary, refuseOwn } from "../place/boundary.ts";
import { type Entry, entryOf } from "../place/entry.ts";
import { attempt } from "../place/errors.ts";
import { checkedMode } from "../place/mode.ts";
import { refuseDirectoryName } from "../place/named-directory.ts";
import { expandPath } from "../place/path.ts";
import { childOf } from "../place/pin.ts";
import type { Place } from "../place/resolve.ts";
import { inTurn, inTurnOf } from "../place/turns.ts";
import { notMatching } from "../read/content-hash.ts";
import { refuseIrregular } from "../read/read.ts";
import { changeDurably } from "./durable.ts";
import { openDestination } from "./replacement.ts";
import { FILE_MODE } from "./spool.ts";
import { refuseLargeContent } from "./write.ts";

/** How bytes are added to a file. */
export interface AppendOptions {
  /** Bytes that the file must have; 0: also where there is none. */
  readonly ifSize?: bigint | undefined;
  /** Permission bits of a new file; absent means 0o644 less the umask. */
  readonly mode?: number | undefined;
  readonly parents: boolean;
}

const APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOCTTY;
const MAKE = APPEND | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Adds bytes to the end of a file, in place and on disk, and makes the file
 * where there is none. What fails in the middle is taken back, unless somebody
 * else has appended meanwhile; a crash in the middle may leave a part.
 */
export function appendContent(
  boundary: Boundary,
  path: string,
  content: Uint8Array,
  options: AppendOptions,
): Promise<Entry> {
  return attempt("append to", path, async () => {
    const asked = expandPath(path, boundary.home);
    const mode = checkedMode(options);
    refuseLargeContent(content, asked);
    await refuseDirectoryName(boundary, path);
    const parents = options.parents && (options.ifSize ?? 0n) === 0n;
    using place = await openDestination(boundary, asked, parents);
    if (place.leaf === undefined && (options.ifSize ?? 0n) > 0n) throw notMatching(asked, "does not exist");
    return await inTurn(place, async () => {
      await using file = await openEnd(boundary, place, mode);
      // By another of its names it may be written in place meanwhile.
      return await inTurnOf(await file.stat({ bigint: true }), async () => {
        const { size } = await file.stat({ bigint: true });
        if (options.ifSize !== undefined && size !== options.ifSize) {
          throw notMatching(asked, `has ${size} bytes, not ${options.ifSize}`);
        }
        await appendAll(file, content, size);
        return entryOf(await file.stat({ bigint: true }), place.name, place.path);
      });
    });
  });
}

/** The file, opened at its end; made where there is none. */
async function openEnd(boundary: Boundary, place: Place, mode: number | undefined): Promise<FileHandle> {
  const found = await unless(["ENOENT"], boundary.pinning.pin(childOf(place.directory, place.name)));
  if (found === undefined) {
    const made = await unless(["EEXIST"], make(place, mode));
    return made ?? openEnd(boundary, place, mode);
  }
  using pin = found;
  refuseIrregular(pin.stats, place.path);
  await refuseOwn(boundary, pin, place.path, "write");
  return await open(pin.at, APPEND);
}

async function make(place: Place, mode: number | undefined): Promise<FileHandle> {
  let file: FileHandle | undefined;
  await changeDurably(place.directory, place.path, async () => {
    file = await open(childOf(place.directory, place.name), MAKE, mode ?? FILE_MODE);
  });
  if (file === undefined) throw new Error("the file was not opened");
  if (mode !== undefined) await file.chmod(mode);
  return file;
}

async function appendAll(file: FileHandle, content: Uint8Array, size: bigint): Promise<void> {
  let written = 0;
  try {
    while (written < content.length) written += (await file.write(content, written)).bytesWritten;
    await file.sync();
  } catch (thrown) {
    const now = await file.stat({ bigint: true });
    if (now.size === size + BigInt(written)) await file.truncate(Number(size));
    throw thrown;
  }
}
