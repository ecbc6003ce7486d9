import { CmdopError } from "@cmdop/proto";
import { shown } from "../files/place/path.ts";

/** What a call starts, as far as its request names it. */
export interface Starts {
  readonly programs: readonly string[];
  /** The names of the variables that it sets. */
  readonly variables: readonly string[];
}

/**
 * The variables that a caller may set where `shells` binds it. Any other could
 * make an allowed program load or run something else (LD_PRELOAD, BASH_ENV,
 * PYTHONPATH…), and nobody can list all of those.
 */
const HARMLESS_VARIABLE = /^(?:TERM|COLORTERM|NO_COLOR|COLUMNS|LINES|LANG|LANGUAGE|LC_[A-Z_]+|TZ)$/;

/**
 * Refuses a program that is not among a policy's `shells`. Paths are compared as
 * they are written: a name that would be looked for in PATH is none of them.
 * @throws CmdopError PolicyDenied
 */
export function requireShell({ programs, variables }: Starts, shells: readonly string[]): void {
  const allowed = shells.map(shown).join(", ");
  const other = programs.find((program) => !shells.includes(program));
  if (other !== undefined) {
    throw new CmdopError(
      "PolicyDenied",
      `This machine's policy lets callers start ${allowed} only (shells), not ${shown(other)}.`,
      {
        next: "Name one of them by its absolute path; a line is run by the user's own shell where that is one of them, else by /bin/sh where that is.",
      },
    );
  }
  const strange = variables.find((name) => !HARMLESS_VARIABLE.test(name));
  if (strange === undefined) return;
  throw new CmdopError(
    "PolicyDenied",
    `This machine's policy binds what callers start (shells), and the variable ${shown(strange)} could make a program run something else.`,
    { next: "Leave it out: only variables of language, time zone and terminal can be set here." },
  );
}
