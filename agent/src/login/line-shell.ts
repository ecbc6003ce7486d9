import { basename } from "node:path";

/** The shell that runs a line if the user's own can't. */
export const STANDARD_SHELL = "/bin/sh";

/**
 * Names of shells that run a line as POSIX defines it. rbash is among them, so that a restricted user stays
 * restricted.
 */
const POSIX_SHELLS: ReadonlySet<string> = new Set(["sh", "bash", "zsh", "ksh", "dash", "ash", "rbash"]);

/** Names by which a call may ask for a shell. */
export const SHELL_NAMES: readonly string[] = [...POSIX_SHELLS].filter((name) => name !== "rbash");

/** The shells that a job may use, and the files that they read. */
export interface ShellRules {
  /** The user's own shell in the password database: it runs sessions that name no program. */
  readonly shell: string;
  /** The shell for lines whose call names none; undefined if the policy allows none. */
  readonly lineShell: string | undefined;
  /** Programs that the policy lets callers start; undefined for any. */
  readonly allowedShells: readonly string[] | undefined;
  /** True if a command reads the profile unless its caller says otherwise. */
  readonly readsProfile: boolean;
}

/** The shells of a machine about which nothing is known. */
export const PLAIN_SHELLS: ShellRules = {
  shell: STANDARD_SHELL,
  lineShell: STANDARD_SHELL,
  allowedShells: undefined,
  readsProfile: false,
};

/** True if a shell runs a line as POSIX defines it. */
export function isPosixShell(shell: string): boolean {
  return POSIX_SHELLS.has(basename(shell));
}

/** True if a shell is sh, the default, which need not be mentioned. */
export function isStandardShell(shell: string): boolean {
  return basename(shell) === "sh";
}

/**
 * Returns the shell for lines: the user's own if it exists and is a POSIX shell, else /bin/sh; in either case
 * only if the policy allows it. `isUsable`: true if the user's shell exists and is executable.
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
 * Returns the shell that a call asks for. A name means the user's own shell if that has this name, else one
 * that the policy lists, else one found in PATH.
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

/**
 * Returns the command for running a line in a shell. With `--`, a line that begins with a dash is still a
 * line; other shells may not know `--`.
 */
export function lineArguments(shell: string, line: string): readonly [program: string, ...args: string[]] {
  return isPosixShell(shell) ? [shell, "-c", "--", line] : [shell, "-c", line];
}
