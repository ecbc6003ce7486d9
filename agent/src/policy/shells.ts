import { CmdopError } from "@cmdop/proto";
import { shown } from "../files/place/path.ts";

/** The programs and variables that a request names. */
export interface Starts {
  readonly programs: readonly string[];
  /** Names of the variables that it sets. */
  readonly variables: readonly string[];
}

/**
 * Variables that a caller may set under a policy with `shells`. Any other could make an allowed program load
 * or run something else (LD_PRELOAD, BASH_ENV, PYTHONPATH…), and no list of those is complete.
 */
const HARMLESS_VARIABLE = /^(?:TERM|COLORTERM|NO_COLOR|COLUMNS|LINES|LANG|LANGUAGE|LC_[A-Z_]+|TZ)$/;

/**
 * Refuses a program that is not listed in a policy's `shells`, and a variable that could change what it runs.
 * Paths are compared as written: a name that is searched in PATH matches none.
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
