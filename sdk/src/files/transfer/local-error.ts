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
};

/** Does something with a file of this computer; what fails is said as a CmdopError that names it. */
export async function localError<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof CmdopError || !(thrown instanceof Error) || !("code" in thrown)) throw thrown;
    const code = typeof thrown.code === "string" ? CODES[thrown.code] : undefined;
    if (code === undefined) throw thrown;
    throw new CmdopError(code, `${visible(path)}, on this computer: ${thrown.code}.`, {
      cause: thrown,
      ...(code === "NoSpace" ? { next: "Free space on this computer's disk." } : {}),
    });
  }
}
