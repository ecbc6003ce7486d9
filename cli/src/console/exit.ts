import { printable } from "./printable.ts";

/** Everything went well. */
export const EXIT_OK = 0;
/** The command could not do its work. */
export const EXIT_FAILURE = 1;
/** The command line was wrong. */
export const EXIT_USAGE = 2;

/** Ends the program with an exit code, when all that was to be said has been said. */
export class ExitWith extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.name = "ExitWith";
    this.exitCode = exitCode;
  }
}

/** Wrong use that the parser could not see: says why and how, and ends with EXIT_USAGE. */
export function usageError(message: string, hint: string): ExitWith {
  process.stderr.write(`error: ${harmless(message)}\n${harmless(hint)}\n`);
  return new ExitWith(EXIT_USAGE);
}

/** Says what failed; the exit code to end with: EXIT_USAGE for wrong use, otherwise the given. */
export function failedWith(thrown: unknown, exitCode: number): number {
  reportError(thrown);
  return thrown instanceof Error && thrown.name === "InvalidArgument" ? EXIT_USAGE : exitCode;
}

/** Says on stderr what failed and what to do next. */
export function reportError(thrown: unknown): void {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  process.stderr.write(`error: ${harmless(message)}\n`);
  const next = nextOf(thrown);
  if (next !== undefined) process.stderr.write(`next:  ${harmless(next)}\n`);
}

/** An error's words may come from a relay or machine: shown, never obeyed, its lines never like ours. */
function harmless(text: string): string {
  return text.split("\n").map(printable).join("\n       ");
}

function nextOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  if ("next" in thrown && typeof thrown.next === "string") return thrown.next;
  const isFileError = "syscall" in thrown && "path" in thrown;
  return isFileError
    ? "Check that CMDOP_HOME (default ~/.cmdop) is a directory that you own and can write to."
    : undefined;
}
