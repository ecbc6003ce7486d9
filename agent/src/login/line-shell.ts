import { basename } from "node:path";

/** What runs a line where the user's own shell can't. */
export const STANDARD_SHELL = "/bin/sh";

/** Shells that take a line as POSIX has it, by the names of their programs. rbash is among them: whom it restricts stays restricted. */
const POSIX_SHELLS: ReadonlySet<string> = new Set(["sh", "bash", "zsh", "ksh", "dash", "ash", "rbash"]);

/** The names by which a call may ask for a shell. */
export const SHELL_NAMES: readonly string[] = [...POSIX_SHELLS].filter((name) => name !== "rbash");

/** Which shells there are for a job, and what they read. */
export interface ShellRules {
  /** The user's own, as the password database has it: what a session runs that names no program. */
  readonly shell: string;
  /** What runs a line whose call names no shell; undefined where the policy allows none. */
  readonly lineShell: string | undefined;
  /** The programs that the policy lets callers start; undefined where that is any. */
  readonly allowedShells: readonly string[] | undefined;
  /** Whether a command reads the profile where its caller does not say. */
  readonly readsProfile: boolean;
}

/** The shells of a machine of which nothing is known. */
export const PLAIN_SHELLS: ShellRules = {
  shell: STANDARD_SHELL,
  lineShell: STANDARD_SHELL,
  allowedShells: undefined,
  readsProfile: false,
};

/** Whether a shell takes a line as POSIX has it. */
export function isPosixShell(shell: string): boolean {
  return POSIX_SHELLS.has(basename(shell));
}

/** Whether a shell is sh, of which nobody needs to be told. */
export function isStandardShell(shell: string): boolean {
  return basename(shell) === "sh";
}

/**
 * What runs lines: the user's own shell where it is there and takes them, else /bin/sh; of these only what the policy
 * allows. `isUsable`: whether the user's shell exists and may be executed.
 */
export function lineShellOf(
  shell: string,
  isUsable: boolean,
  allowedShells: readonly string[] | undefined,
): string | undefined {
  const candidates = isUsable && isPosixShell(shell) ? [shell, STANDARD_SHELL] : [STANDARD_SHELL];
  return candidates.find((candidate) => allowedShells?.includes(candidate) ?? true);
}

/**
 * The shell that a call asks for. A name stands for the user's own shell where that has it, else for one that the policy
 * names, else for what PATH leads to.
 */
export function shellNamed(
  named: string,
  { shell, lineShell, allowedShells }: ShellRules,
): string | undefined {
  if (named === "") return lineShell;
  if (named.startsWith("/")) return named;
  if (named === "sh") return STANDARD_SHELL;
  const known = [shell, ...(allowedShells ?? [])].filter((candidate) => basename(candidate) === named);
  return known.find((candidate) => allowedShells?.includes(candidate) ?? true) ?? named;
}

/** How a shell is called for a line. After `--` one that begins with a dash is still a line; other shells may not know that. */
export function lineArguments(shell: string, line: string): readonly [program: string, ...args: string[]] {
  return isPosixShell(shell) ? [shell, "-c", "--", line] : [shell, "-c", line];
}
