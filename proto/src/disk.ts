import { randomBytes } from "node:crypto";
import { closeSync, existsSync, openSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { errnoOf, isErrno } from "@cmdop/kit";
import { CmdopError } from "./errors/cmdop-error.ts";
import type { ErrorCode } from "./errors/table.ts";

/**
 * Bytes that are written to check if a disk accepts writes: a page, since less may fit into a page in use.
 */
const PROBE_BYTES = 4096;

/** SQLite's error code for a full disk. Its other codes say less than the disk itself. */
const SQLITE_FULL = 13;

const MEANINGS: Readonly<Record<string, readonly [code: ErrorCode, cause: string, next: string]>> = {
  ENOSPC: [
    "NoSpace",
    "the disk is full, or has no inode left",
    "Free space on it (df -h and df -i show which is short).",
  ],
  EDQUOT: ["NoSpace", "the disk quota is used up", "Free space, or have the quota raised."],
  EROFS: [
    "AccessDenied",
    "its disk is read-only",
    "Mount it writable (mount -o remount,rw); where the system made it read-only, dmesg says why: check the disk first.",
  ],
  EIO: ["Internal", "its disk fails", "Look at the system's log (dmesg): the disk may have to be replaced."],
};

/** Explanations for cmdop's own files that the system does not let it use. */
const FORBIDDEN = {
  EACCES: "this user may not do that",
  EPERM: "the operating system does not permit it",
};

/**
 * Returns true if an error means that a disk accepts nothing now, in which case work can go on in memory
 * until it does. An error with such a cause counts as well.
 */
export function isDiskTrouble(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  const errno = systemError(thrown);
  return (errno !== undefined && Object.hasOwn(MEANINGS, errno)) || isDiskTrouble(thrown.cause);
}

/**
 * Makes an error about one of cmdop's own files, which names the file. `verb`: "write", as in "Can't write".
 */
export function diskError(thrown: unknown, verb: string, file: string): CmdopError {
  if (thrown instanceof CmdopError) return thrown;
  const errno = thrown instanceof Error ? systemError(thrown) : undefined;
  // Node says ENOENT where nothing can be made in a directory above: that one says why.
  const refusal = verb === "make" && errno === "ENOENT" ? probed(existingAbove(file)) : undefined;
  if (refusal !== undefined) return diskError(refusal, verb, file);
  const known = errno === undefined ? undefined : MEANINGS[errno];
  if (known !== undefined) {
    const [code, cause, next] = known;
    return new CmdopError(code, `Can't ${verb} ${file}: ${cause} (${errno}).`, { cause: thrown, next });
  }
  if (errno === "EACCES" || errno === "EPERM") {
    return new CmdopError("AccessDenied", `Can't ${verb} ${file}: ${FORBIDDEN[errno]} (${errno}).`, {
      cause: thrown,
      next: "Check owner and mode of the file and of its directory: they must be those of the user that runs this.",
    });
  }
  const words = thrown instanceof Error ? thrown.message : String(thrown);
  return new CmdopError("Internal", `Can't ${verb} ${file}: ${words}.`, {
    cause: thrown,
    next: "Look at the file and at the system's log; if neither explains it, please report it.",
  });
}

/**
 * Converts an error of SQLite, which names neither its file nor the system's error: a test write in the
 * directory finds that out. `file`: the database.
 */
export function databaseError(thrown: unknown, verb: string, file: string): CmdopError {
  if (thrown instanceof CmdopError) return thrown;
  return diskError(probed(path.dirname(file)) ?? thrown, verb, file);
}

/**
 * Tests a write in a directory; returns the disk's refusal as an error that names the directory; undefined if
 * it succeeds.
 */
export function refusalOf(directory: string): CmdopError | undefined {
  const thrown = probed(directory);
  return thrown === undefined ? undefined : diskError(thrown, "write to", directory);
}

/** The nearest directory above a file that is there. */
function existingAbove(file: string): string {
  const directory = path.dirname(file);
  return directory === file || existsSync(directory) ? directory : existingAbove(directory);
}

function probed(directory: string): unknown {
  const file = path.join(directory, `.probe-${randomBytes(6).toString("hex")}`);
  try {
    const descriptor = openSync(file, "wx", 0o600);
    try {
      writeFileSync(descriptor, Buffer.alloc(PROBE_BYTES));
    } finally {
      closeSync(descriptor);
      unlinkSync(file);
    }
    return undefined;
  } catch (thrown) {
    return thrown;
  }
}

/**
 * Deletes a file; a missing one is no error. Unlike those of Node's `rmSync`, its errors have a code and the
 * file's name.
 */
export function removeFile(file: string): void {
  try {
    unlinkSync(file);
  } catch (thrown) {
    if (!isErrno(thrown, "ENOENT")) throw thrown;
  }
}

/** Deletes a directory with its content; a missing one is no error. @throws CmdopError that names it */
export function removeDirectory(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (thrown) {
    // The error of rmSync has neither a code nor a name.
    throw diskError(probed(path.dirname(directory)) ?? thrown, "delete", directory);
  }
}

/** Returns the error code of the system, also from an error of SQLite. */
function systemError(error: Error): string | undefined {
  if ("errcode" in error && error.errcode === SQLITE_FULL) return "ENOSPC";
  return errnoOf(error);
}
