import { errnoOf } from "@cmdop/kit";
import { CmdopError, type ErrorCode } from "@cmdop/proto";
import { shown } from "./path.ts";

/** What an error of the operating system means to a caller: code, words for the cause, and what to do next where the table can't know. */
const MEANINGS: Readonly<Record<string, readonly [code: ErrorCode, cause: string, next?: string]>> = {
  ENOENT: ["NotFound", "there is no such file or directory"],
  EACCES: ["AccessDenied", "the agent's user may not do that"],
  EPERM: ["AccessDenied", "the operating system does not permit it"],
  EROFS: ["AccessDenied", "the filesystem is mounted read-only"],
  ETXTBSY: ["AccessDenied", "it is a program that is running"],
  EBUSY: [
    "AccessDenied",
    "it is in use by the system",
    "A mount point can't be replaced or removed: unmount it first.",
  ],
  EEXIST: ["AlreadyExists", "it exists already"],
  ENOTDIR: ["NotADirectory", "a part of the path that should be a directory is none"],
  EISDIR: ["IsADirectory", "it is a directory"],
  ENOTEMPTY: ["DirectoryNotEmpty", "the directory is not empty"],
  ENOSPC: ["NoSpace", "the disk is full"],
  EDQUOT: ["NoSpace", "the disk quota is used up"],
  EFBIG: ["LimitExceeded", "the file would be larger than the filesystem allows"],
  EMLINK: ["LimitExceeded", "the filesystem allows no more links"],
  EMFILE: ["LimitExceeded", "the agent has too many files open", "Retry a little later, with less at once."],
  EAGAIN: [
    "NotAFile",
    "it has nothing to give now, and would have to be waited for",
    "Read it with a command, which can wait.",
  ],
  ENFILE: ["LimitExceeded", "the machine has too many files open", "Retry a little later."],
  ELOOP: ["InvalidArgument", "too many symbolic links lead to one another"],
  ENAMETOOLONG: ["InvalidArgument", "a name in the path is longer than the filesystem allows"],
  EINVAL: ["InvalidArgument", "the filesystem does not allow this here"],
  EOPNOTSUPP: ["InvalidArgument", "the filesystem can't do this"],
  ENOTSUP: ["InvalidArgument", "the filesystem can't do this"],
};

/** Any thrown thing as the CmdopError of an operation on a path. `verb`: "read", as in "Can't read". */
export function fileError(thrown: unknown, verb: string, path: string): CmdopError {
  if (thrown instanceof CmdopError) return thrown;
  if (thrown instanceof SuppressedError) return withFailedCleanup(thrown, verb, path);
  const errno = errnoOf(thrown);
  if (errno === undefined) return CmdopError.from(thrown);
  const meaning = Object.hasOwn(MEANINGS, errno) ? MEANINGS[errno] : undefined;
  if (meaning === undefined) {
    return new CmdopError("Internal", `Can't ${verb} ${shown(path)}: the operating system says ${errno}.`, {
      cause: thrown,
      next: "Look at the machine's system log: a disk or a network filesystem may have failed.",
    });
  }
  const [code, cause, next] = meaning;
  return new CmdopError(code, `Can't ${verb} ${shown(path)}: ${cause}.`, { cause: thrown, next });
}

/** Runs a piece of work on a path; whatever it throws becomes a CmdopError that names the path. */
export async function attempt<T>(verb: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw fileError(thrown, verb, path);
  }
}

/** Throws Canceled when the caller is gone: nobody waits for the rest of a long operation. */
export function stopIfCanceled(signal: AbortSignal, verb: string, path: string): void {
  if (!signal.aborted) return;
  throw new CmdopError("Canceled", `The caller left before it was done: ${verb} ${shown(path)}.`);
}

/** The failure itself comes first; that the cleaning up failed as well must not hide it. */
function withFailedCleanup(thrown: SuppressedError, verb: string, path: string): CmdopError {
  const first = fileError(thrown.suppressed, verb, path);
  const second = fileError(thrown.error, "clean up after", path);
  return new CmdopError(first.code, `${first.message} ${second.message}`, {
    cause: thrown,
    next: first.next,
  });
}
