import { InvalidArgumentError } from "commander";
import { usageError } from "./exit.ts";
import { hasBytes } from "./raw-arguments.ts";

/** Collects an option that may be given several times. */
export function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** Collects `KEY=VALUE` options into a record. */
export function collectPairs(
  value: string,
  previous: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const equals = value.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("Give it as KEY=VALUE.");
  // They would arrive as U+FFFD: another value, of which nobody is told.
  if (hasBytes(value))
    throw new InvalidArgumentError(
      "It has bytes that are not UTF-8. Give UTF-8; other bytes can be set in the line.",
    );
  return { ...previous, [value.slice(0, equals)]: value.slice(equals + 1) };
}

/** Tells `KEY=VALUE` (set) and `KEY-` (remove) apart, as labels are changed. */
export function labelChanges(words: readonly string[]): { set: Record<string, string>; remove: string[] } {
  const set: Record<string, string> = {};
  const remove: string[] = [];
  for (const word of words) {
    const equals = word.indexOf("=");
    if (equals > 0) set[word.slice(0, equals)] = word.slice(equals + 1);
    else if (equals === -1 && /^.+-$/.test(word)) remove.push(word.slice(0, -1));
    else
      throw usageError(`${JSON.stringify(word)} changes no label.`, "Say KEY=VALUE to set, KEY- to remove.");
  }
  return { set, remove };
}

/** Reads a count of at least one. */
export function parseCount(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError("Give a number from 1 to 99999.");
  return Number(text);
}

/** Reads a TCP port; 0 lets the system choose. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError("Give a number from 0 to 65535.");
  return port;
}

/** Reads an offset in a job's output: a count of bytes from 0. */
export function parseOffset(text: string): number {
  const offset = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(offset))
    throw new InvalidArgumentError("Give a number of bytes, 0 or more.");
  return offset;
}

/** Returns the words before `--` and those behind it, undefined if there is none. `words` is what the parser left of `argv`, without its --. */
export function splitAtDashes(
  words: readonly string[],
  argv: readonly string[],
): { before: string[]; behind: string[] | undefined } {
  const dashes = argv.indexOf("--");
  if (dashes === -1) return { before: [...words], behind: undefined };
  // Of the parser's words, in which bytes that are not UTF-8 are whole still.
  const end = words.length - (argv.length - dashes - 1);
  return { before: words.slice(0, end), behind: words.slice(end) };
}

/** Tells `[MACHINE] WHAT` apart: the machine may be left out. */
export function machineAnd(
  words: readonly string[],
  verb: string,
  what: string,
): { machine?: string; id: string } {
  const [first, second, ...rest] = words;
  if (first === undefined || rest.length > 0) {
    throw usageError(
      `a machine and one ${what.toLowerCase()} are needed.`,
      `Say cmdop ${verb} MACHINE ${what}.`,
    );
  }
  return second === undefined ? { id: first } : { machine: first, id: second };
}
