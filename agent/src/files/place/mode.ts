import { CmdopError } from "@cmdop/proto";

/** Permission bits that a caller may set. Not setuid, setgid and sticky: they give away more than a file. */
export const PERMISSION_BITS = 0o777;

/** A caller's mode, checked; undefined where it names none. */
export function checkedMode(mode: number | undefined): number | undefined {
  if (mode === undefined || (Number.isInteger(mode) && mode >= 0 && mode <= PERMISSION_BITS)) return mode;
  throw new CmdopError("InvalidArgument", `The mode 0o${mode.toString(8)} has more than permission bits.`, {
    next: "Give 0o000 to 0o777; setuid, setgid and sticky are set by a command.",
  });
}
