import { CmdopError, type ErrorCode, visible } from "@cmdop/proto";

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "NotFound",
  EEXIST: "AlreadyExists",
  EACCES: "AccessDenied",
  EPERM: "AccessDenied",
  EROFS: "AccessDenied",
  ELOOP: "NotAFile",
  EISDIR: "IsADirectory",
  ENOTDIR: "NotADirectory",
  ENOSPC: "NoSpace",
  EDQUOT: "NoSpace",
  EFBIG: "NoSpace",
  ENAMETOOLONG: "InvalidArgument",
  EMFILE: "LimitExceeded",
};

/** Next steps for errors whose own advice is about the machine. */
const NEXT: Readonly<Partial<Record<ErrorCode, string>>> = {
  NotFound: "Check the path: it is one on this computer.",
  AccessDenied: "Check owner and mode of the path on this computer.",
  NoSpace: "Free space on this computer's disk.",
  InvalidArgument: "Choose a shorter name.",
  LimitExceeded: "Too many files are open in this program: raise its limit (ulimit -n).",
  Internal: "Look at this computer's system log: a disk or a network filesystem may have failed.",
};

/** Runs work on a file of this computer and turns its failure into a CmdopError that names the file. */
export async function localError<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof CmdopError || !(thrown instanceof Error) || !("code" in thrown)) throw thrown;
    // Only errors of the operating system have the name of a system call.
    if (typeof thrown.code !== "string" || !("syscall" in thrown)) throw thrown;
    const code = CODES[thrown.code] ?? "Internal";
    throw new CmdopError(code, `${visible(path)}, on this computer: ${thrown.code}.`, {
      cause: thrown,
      next: NEXT[code],
    });
  }
}
