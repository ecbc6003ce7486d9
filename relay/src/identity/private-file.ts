import { statSync } from "node:fs";
import { CmdopError } from "@cmdop/proto";

/** Mode bits of group and others. */
const NOT_THE_OWNER = 0o077;

/** Refuses a file that others than its owner may use; one that is missing is made later. `danger`: what they could have done with it. */
export function checkPrivateFile(file: string, danger: string): void {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode;
  if (mode === undefined || (mode & NOT_THE_OWNER) === 0) return;
  throw new CmdopError(
    "AccessDenied",
    `Others than its owner may use ${file}: its mode is ${(mode & 0o777).toString(8).padStart(4, "0")}.`,
    { next: `Say chmod 600 ${file}, and think about who had access: ${danger}` },
  );
}
