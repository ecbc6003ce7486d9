import type { ExecCommand } from "@cmdop/sdk";
import { usageError } from "../console/exit.ts";
import { wordOf } from "../console/raw-arguments.ts";

/** A machine, and what it is to run. */
export interface ExecTarget {
  readonly machine: string;
  /** A line for the shell, or a program and its arguments. */
  readonly command: ExecCommand;
  /** Said where the words may mean another thing than they do. */
  readonly hint?: string;
}

/**
 * Tells machine, line and argv apart. `words` is what the parser left of `argv`. The words of a line are
 * joined with spaces, as ssh does it; those behind -- are a program and its arguments. Without a machine in
 * front, CMDOP_MACHINE is meant: before --, or where there is one word only.
 * @throws usage errors where one of them is missing
 */
export function execTarget(words: readonly string[], argv: readonly string[]): ExecTarget {
  const own = process.env.CMDOP_MACHINE;
  // Dashes that stand further behind belong to the command.
  const isBehindDashes = (count: number): boolean => argv.at(-count - 1) === "--";
  if (isBehindDashes(words.length)) return { machine: named(own), command: program(words) };
  const [first, ...rest] = words;
  if (first !== undefined && isBehindDashes(rest.length)) return { machine: first, command: program(rest) };
  if (rest.length === 0 && own) return { machine: own, command: wordOf(named(first)) };
  if (rest.length === 0) throw usageError("the command is missing.", 'Say cmdop exec MACHINE "line".');
  return { machine: named(first), command: wordOf(rest.join(" ")), ...lostQuotes(rest) };
}

function named(machine: string | undefined): string {
  if (machine !== undefined && machine !== "") return machine;
  throw usageError(
    "a machine and a command are needed.",
    'Say cmdop exec MACHINE "line", or set CMDOP_MACHINE.',
  );
}

function program(words: readonly string[]): ExecCommand {
  if (words.length === 0) throw usageError("the program is missing.", "Name it after --.");
  return words.map(wordOf);
}

/** A word with spaces among several was quoted for the shell here, and is taken apart by the one there. */
function lostQuotes(words: readonly string[]): { hint?: string } {
  if (words.length === 1 || !words.some((word) => /\s/.test(word) || word === "")) return {};
  const line = words.join(" ");
  return {
    hint: `cmdop: the words were joined into one line, as ssh does it: ${JSON.stringify(line)}. With -- before the program each stays a word.`,
  };
}
