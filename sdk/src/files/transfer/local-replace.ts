import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants, existsSync, type Stats } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { FILE_CHUNK_BYTES, systemPath } from "@cmdop/proto";

/** Paths of cp. The one in PATH may belong to another user. */
const CP = ["/usr/bin/cp", "/bin/cp", "/run/current-system/sw/bin/cp"];

/**
 * Errors of a rename over a file that may be written but not replaced: a mount point, or another user's file
 * in a sticky directory.
 */
const IRREPLACEABLE = ["EBUSY", "EPERM"];

/** Errors that keep a program from starting, which say nothing about the file. */
const NOT_STARTED = ["ENOENT", "EACCES", "EAGAIN", "ENOMEM", "EMFILE"];

const PERMISSION_BITS = 0o777;

/**
 * Puts a file that has arrived whole in the place of a file of this computer, which keeps its owner, ACL,
 * attributes and other names. It is replaced atomically if the new file can be given all of these, else
 * written in place, as scp does. `finish` sets mode and times on the resulting file. Returns the reason for
 * writing in place; undefined if it was replaced.
 */
export async function replaceLocal(
  arrived: { readonly file: FileHandle; readonly path: string },
  destination: string,
  taken: Stats,
  finish: (file: FileHandle) => Promise<void>,
): Promise<string | undefined> {
  const isGiven = await isGivenAll(arrived.file, destination, taken);
  if (isGiven) {
    await finish(arrived.file);
    const renamed = rename(systemPath(arrived.path), systemPath(destination)).then(() => true);
    if ((await unless(IRREPLACEABLE, renamed)) !== undefined) return undefined;
  }
  const file = await open(systemPath(destination), constants.O_WRONLY | constants.O_NOFOLLOW);
  try {
    await writeOver(arrived.file, file);
    await finish(file);
    await file.sync();
  } finally {
    await file.close();
  }
  return inPlace(isGiven, taken);
}

function inPlace(isGiven: boolean, { nlink }: Stats): string {
  let why = "a new file could not be given all that it has";
  if (nlink > 1) why = `it has ${nlink} names (hard links), which stay one file`;
  else if (isGiven) why = "it can't be replaced (it may be a mount point)";
  return `written in place, since ${why}: anyone reading it meanwhile may have seen a mix of old and new content`;
}

/**
 * Gives a new file the owner, mode and attributes of the old one, and returns true if that was possible.
 * setuid, setgid and capabilities are left out: they were given to the old content.
 */
async function isGivenAll(file: FileHandle, destination: string, taken: Stats): Promise<boolean> {
  if (taken.nlink > 1) return false;
  // On other systems cp can't do it, and files seldom have any.
  if (process.platform === "linux" && !(await carriedOver(destination, file))) return false;
  // This is done even if the owner stays, because the system then removes capabilities.
  const owned = file.chown(taken.uid, taken.gid).then(() => true);
  if ((await unless(["EPERM"], owned)) === undefined) return false;
  await file.chmod(taken.mode & PERMISSION_BITS);
  return true;
}

/** Lets GNU's cp copy the ACL and the extended attributes, which Node can't read. Returns true if it has. */
async function carriedOver(path: string, to: FileHandle): Promise<boolean> {
  const program = CP.find((each) => existsSync(each));
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
  // A user with only write permission can't read the attributes.
  const from = program === undefined ? undefined : await unless(["EACCES"], open(systemPath(path), flags));
  if (program === undefined || from === undefined) return false;
  try {
    const child = spawn(
      program,
      ["--attributes-only", "--preserve=mode,xattr", "--", "/proc/self/fd/3", "/proc/self/fd/4"],
      { stdio: ["ignore", "ignore", "ignore", from.fd, to.fd] },
    );
    const ended = once(child, "close").then(([code]) => code === 0);
    return (await unless(NOT_STARTED, ended)) ?? false;
  } finally {
    await from.close();
  }
}

async function writeOver(from: FileHandle, to: FileHandle): Promise<void> {
  const piece = Buffer.allocUnsafe(FILE_CHUNK_BYTES);
  let position = 0;
  for (;;) {
    const { bytesRead } = await from.read(piece, 0, piece.length, position);
    if (bytesRead === 0) break;
    for (let done = 0; done < bytesRead; ) {
      const { bytesWritten } = await to.write(piece, done, bytesRead - done, position + done);
      done += bytesWritten;
    }
    position += bytesRead;
  }
  await to.truncate(position);
}
