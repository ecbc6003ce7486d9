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
  process.stderr.write(`error: ${message}\n${hint}\n`);
  return new ExitWith(EXIT_USAGE);
}

/** Says on stderr what failed and what to do next. */
export function reportError(thrown: unknown): void {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  process.stderr.write(`error: ${message}\n`);
  if (thrown instanceof Error && "next" in thrown && typeof thrown.next === "string") {
    process.stderr.write(`next:  ${thrown.next}\n`);
  }
}
