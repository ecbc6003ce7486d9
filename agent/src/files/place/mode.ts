import { CmdopError } from "@cmdop/proto";

/** Permission bits that a caller may set. Not setuid, setgid and sticky: they give away more than a file. */
export const PERMISSION_BITS = 0o777;

/** The furthest that a time may be from 1970, in milliseconds: what JavaScript's dates know. */
const MAX_TIME_MS = 8.64e15;

/** What a mode is given to: to what is made, as it is or less the umask, or also to what exists. */
export type ModeUse = "made" | "masked" | "always";

/** What a caller wants something to have. */
export interface Attributes {
  /** Permission bits. */
  readonly mode?: number | undefined;
  /** `made` unless given. */
  readonly modeUse?: ModeUse | undefined;
  /** Last change of the content, in milliseconds since 1970; now unless given. */
  readonly mtimeMs?: number | undefined;
}

/** The mode of what is made; undefined where the caller names none. Throws InvalidArgument. */
export function checkedMode({ mode, modeUse }: Attributes): number | undefined {
  if (mode === undefined) return undefined;
  if (Number.isInteger(mode) && mode >= 0 && mode <= PERMISSION_BITS) {
    return modeUse === "masked" ? mode & ~process.umask() : mode;
  }
  throw new CmdopError("InvalidArgument", `The mode 0o${mode.toString(8)} has more than permission bits.`, {
    next: "Give 0o000 to 0o777; setuid, setgid and sticky are set by a command.",
  });
}

/** The time that is to be set, in milliseconds since 1970. Throws InvalidArgument. */
export function checkedTime({ mtimeMs }: Attributes): number | undefined {
  if (mtimeMs === undefined || Math.abs(mtimeMs) <= MAX_TIME_MS) return mtimeMs;
  throw new CmdopError("InvalidArgument", `${mtimeMs} is no time in milliseconds since 1970.`);
}
