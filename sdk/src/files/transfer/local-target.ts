import { createHash, randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import {
  access,
  chmod,
  type FileHandle,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  realpath,
  rename,
  rm,
  symlink,
  utimes,
} from "node:fs/promises";
import path from "node:path";
import { unless } from "@cmdop/kit";
import {
  CmdopError,
  FILE_CHUNK_BYTES,
  pathText,
  printable,
  systemPath,
  utimesArgument,
  WriteBehind,
} from "@cmdop/proto";
import { localError } from "./local-error.ts";
import { replaceLocal } from "./local-replace.ts";
import { resumeName, sameHash } from "./names.ts";
import { OWNER_BITS } from "./tree.ts";
import type { Content, PutOptions, Target } from "./types.ts";

/** Name and mode of an unfinished file, which only its owner may read before it has its final mode. */
const PART_PREFIX = ".cmdop-part-";
const PART_MODE = 0o600;

/** Permission bits of new files and directories whose source has none. */
const FILE_MODE = 0o666;
const DIRECTORY_MODE = 0o777;

const PERMISSION_BITS = 0o777;

/** Returns a path of this computer as a target. */
export function localTarget(given: string | Uint8Array): Target {
  const root = pathText(given);
  const at = (below: string): string => path.join(root, below);
  return {
    path: root,
    directory: (below, mode = DIRECTORY_MODE) =>
      localError(at(below), async () => {
        const making = mkdir(systemPath(at(below)), { mode: mode | OWNER_BITS }).then(() => true);
        const made = await unless(["EEXIST"], making);
        const stats = await lstat(systemPath(at(below)));
        if (made) return stats.mode & PERMISSION_BITS;
        // The root may be a link, as the user named it. Below it, no link is followed.
        if (stats.isDirectory() || (below === "" && stats.isSymbolicLink())) return undefined;
        throw new CmdopError("AlreadyExists", `${printable(at(below))} exists already and is no directory.`);
      }),
    finishDirectory: (below, { mode, mtimeMs }) =>
      localError(at(below), async () => {
        if (mode !== undefined) await chmod(systemPath(at(below)), mode);
        if (mtimeMs !== undefined) await utimes(systemPath(at(below)), new Date(), utimesArgument(mtimeMs));
      }),
    file: (below, content, options) => localError(at(below), () => putFile(at(below), content, options)),
    link: (below, linkTarget, mtimeMs) =>
      localError(at(below), async () => {
        await putLink(at(below), linkTarget);
        if (mtimeMs !== undefined) await lutimes(systemPath(at(below)), new Date(), utimesArgument(mtimeMs));
      }),
  };
}

async function putFile(asked: string, content: Content, options: PutOptions): Promise<Uint8Array> {
  const destination = options.follow ? await followed(asked) : asked;
  const { resume, overwrite, preserve } = options;
  const taken = await lookAt(destination);
  if (taken !== undefined && !overwrite) throw occupied(destination);
  if (taken?.isDirectory() === true) {
    throw new CmdopError("IsADirectory", `${printable(destination)} is a directory.`);
  }
  // Replacing a device with a file would break the computer.
  if (taken !== undefined && !taken.isFile() && !taken.isSymbolicLink()) {
    throw new CmdopError("NotAFile", `${printable(destination)} is a device, FIFO or socket.`, {
      next: "Name a file; to write into it, download to a stream.",
    });
  }
  // A rename checks only the directory's permissions, but a file that may not be written shall not be
  // replaced either.
  if (taken?.isFile() === true) await access(systemPath(destination), constants.W_OK);
  const name = resume ? resumeName(content, destination) : randomBytes(8);
  const part = path.join(path.dirname(destination), PART_PREFIX + Buffer.from(name).toString("hex"));
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
  const file = await open(systemPath(part), resume ? flags : flags | constants.O_EXCL, PART_MODE);
  let isArrived = false;
  const behind = new WriteBehind(file);
  try {
    const sha256 = await receive(file, behind, content, options);
    isArrived = true;
    await behind.finish();
    const finish = (arrived: FileHandle): Promise<void> => giveAttributes(arrived, content, preserve, taken);
    if (taken?.isFile() === true) {
      const inPlace = await replaceLocal({ file, path: part }, destination, taken, finish);
      if (inPlace !== undefined) options.written({ atomic: false, linkSplit: false, message: inPlace });
      return sha256;
    }
    await finish(file);
    if (overwrite) await rename(systemPath(part), systemPath(destination));
    else await link(systemPath(part), systemPath(destination));
    return sha256;
  } finally {
    const [{ status }] = await Promise.allSettled([behind.settled()]);
    await file.close();
    // A renamed file is gone already. One that can't be right, or may not be on disk, is of no use for
    // resuming.
    if (!resume || isArrived || status === "rejected") await rm(systemPath(part), { force: true });
  }
}

/**
 * Sets mode and time. A new file gets the source's mode less the umask, unless the mode is to be kept; a
 * replaced file keeps its own.
 */
async function giveAttributes(
  file: FileHandle,
  { mode, mtimeMs }: Content,
  preserve: boolean,
  taken: Stats | undefined,
): Promise<void> {
  if (preserve && mode !== undefined) await file.chmod(mode);
  else if (taken?.isFile() !== true) await file.chmod((mode ?? FILE_MODE) & ~process.umask());
  if (preserve && mtimeMs !== undefined) await file.utimes(new Date(), utimesArgument(mtimeMs));
}

/** Appends the missing content to the part that is there, and verifies the whole by its hash. */
async function receive(
  file: FileHandle,
  behind: WriteBehind,
  content: Content,
  { signal, passed }: PutOptions,
): Promise<Uint8Array> {
  const hash = createHash("sha256");
  let position = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(
      Buffer.allocUnsafe(FILE_CHUNK_BYTES),
      0,
      FILE_CHUNK_BYTES,
      position,
    );
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  passed(position, true);
  for await (const piece of content.read(position)) {
    signal?.throwIfAborted();
    hash.update(piece);
    for (let done = 0; done < piece.length; ) {
      const { bytesWritten } = await file.write(piece, done, piece.length - done, position + done);
      done += bytesWritten;
    }
    behind.wrote(piece.length);
    position += piece.length;
    passed(piece.length);
  }
  const sha256 = hash.digest();
  const told = await content.finish();
  if (told === undefined || sameHash(told, sha256)) return sha256;
  // The wrong content is of no use for resuming either.
  await file.truncate(0);
  throw new CmdopError("FileChanged", `${printable(content.path)} did not arrive as it was sent.`, {
    next: "Transfer it again.",
  });
}

async function putLink(at: string, linkTarget: string): Promise<void> {
  const taken = await lookAt(at);
  if (taken === undefined) return symlink(systemPath(linkTarget), systemPath(at));
  if (!taken.isSymbolicLink()) throw occupied(at);
  const aside = path.join(path.dirname(at), PART_PREFIX + randomBytes(8).toString("hex"));
  await symlink(systemPath(linkTarget), systemPath(aside));
  try {
    await rename(systemPath(aside), systemPath(at));
  } catch (thrown) {
    await rm(systemPath(aside), { force: true });
    throw thrown;
  }
}

/** Returns the file that a link leads to, or the path itself. */
async function followed(at: string): Promise<string> {
  const found = await lookAt(at);
  return found?.isSymbolicLink() === true
    ? pathText(await realpath(systemPath(at), { encoding: "buffer" }))
    : at;
}

/** Returns the path's stats; undefined if nothing is there. */
function lookAt(at: string): Promise<Stats | undefined> {
  return unless(["ENOENT"], lstat(systemPath(at)));
}

function occupied(at: string): CmdopError {
  return new CmdopError("AlreadyExists", `${printable(at)} exists already.`, {
    next: "Choose another destination, or say overwrite.",
  });
}
