import { outputLevel, say } from "./output.ts";
import { printable } from "./printable.ts";

/** Everything went well. */
export const EXIT_OK = 0;
/** The command could not do its work. */
export const EXIT_FAILURE = 1;
/** The command line was wrong. */
export const EXIT_USAGE = 2;

/** Causes of an error that are shown; more than a few say nothing new. */
const MAX_CAUSES = 5;

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
  sayError({ code: "InvalidArgument", message, next: hint }, `${harmless(message)}\n${harmless(hint)}`);
  return new ExitWith(EXIT_USAGE);
}

/** Says what failed; the exit code to end with: EXIT_USAGE for wrong use, otherwise the given. */
export function failedWith(thrown: unknown, exitCode: number): number {
  reportError(thrown);
  const isWrongUse = thrown instanceof Error && ["InvalidArgument", "Ambiguous"].includes(thrown.name);
  return isWrongUse ? EXIT_USAGE : exitCode;
}

/** Says on stderr what failed and what to do next; as JSON where the output is JSON. */
export function reportError(thrown: unknown): void {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const next = nextOf(thrown);
  const code = codeOf(thrown);
  const causes = outputLevel() === "verbose" ? causesOf(thrown) : [];
  const lines = [
    harmless(message),
    ...(next === undefined ? [] : [`next:  ${harmless(next)}`]),
    ...(outputLevel() === "verbose" ? [`code:  ${code}`] : []),
    ...causes.map((cause) => `cause: ${harmless(cause)}`),
  ];
  sayError(
    { code, message, next: next ?? null, ...(causes.length === 0 ? {} : { causes }) },
    lines.join("\n"),
  );
}

function sayError(error: Readonly<Record<string, unknown>>, text: string): void {
  say({ error }, `error: ${text}`);
}

/** The code of the table of errors, the system's name of its error, else Internal. */
function codeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return "Internal";
  return "code" in thrown && typeof thrown.code === "string" ? thrown.code : "Internal";
}

/** What led to an error, the nearest first. */
function causesOf(thrown: unknown): string[] {
  const causes: string[] = [];
  let cause = thrown instanceof Error ? thrown.cause : undefined;
  while (cause !== undefined && causes.length < MAX_CAUSES) {
    causes.push(cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return causes;
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
