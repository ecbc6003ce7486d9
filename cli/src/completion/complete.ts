import type { Command, Option } from "commander";
import { nextPlaceholders, valuePlaceholder } from "./placeholders.ts";
import { type Position, positionOf } from "./position.ts";

/** A word that may come next. */
export interface Candidate {
  readonly value: string;
  readonly about?: string | undefined;
}

/** Candidates, and whether the shell shall add its own files. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly withFiles: boolean;
}

/** Finds the words for a placeholder. `operands`: those before, of which one may be the machine. */
export type FindWords = (
  placeholder: string,
  word: string,
  operands: readonly string[],
) => Promise<readonly Candidate[]>;

/** Placeholders that stand for files of this computer. */
const FILES: readonly string[] = ["FILE", "DIR"];

/** Placeholders that stand for files of this computer or, behind `MACHINE:`, of a machine. */
const COPY_ENDS: readonly string[] = ["SOURCE", "DESTINATION"];

/** Returns the words that may stand in the place of the last one. */
export async function complete(
  program: Command,
  words: readonly string[],
  find: FindWords,
): Promise<Completion> {
  const position = positionOf(program, words);
  const { word, before, operands } = position;
  const placeholders = placeholdersAt(position);
  const found = await Promise.all(placeholders.map((name) => find(name, word, operands)));
  const candidates = [...wordsOf(position), ...found.flat()]
    .filter(({ value }) => value.startsWith(word) && isPlain(value))
    .map(({ value, about }) => ({ value: before + value, about }));
  const isHere = (name: string): boolean =>
    FILES.includes(name) || (name === "SOURCE" && !/^[^/:]+:/.test(word));
  return { candidates, withFiles: placeholders.some(isHere) };
}

function placeholdersAt({ command, operands, optionBefore, isBehindDashes, word }: Position): string[] {
  if (optionBefore !== undefined) return optionBefore.argChoices ? [] : [valuePlaceholder(optionBefore)];
  if (!isBehindDashes && word.startsWith("-")) return [];
  const names = nextPlaceholders(command, operands);
  // Both ends of a copy are asked for alike: once.
  return [...new Set(names.map((name) => (COPY_ENDS.includes(name) ? "SOURCE" : name)))];
}

/** Words that the definitions name: commands, options and choices. */
function wordsOf({ command, operands, optionBefore, isBehindDashes, word }: Position): Candidate[] {
  if (optionBefore !== undefined) return (optionBefore.argChoices ?? []).map((value) => ({ value }));
  if (isBehindDashes) return [];
  if (word.startsWith("-")) return optionsOf(command);
  const choices = command.registeredArguments[operands.length]?.argChoices ?? [];
  if (operands.length > 0) return choices.map((value) => ({ value }));
  const below = command
    .createHelp()
    .visibleCommands(command)
    .map((found) => ({ value: found.name(), about: found.description() }));
  return [...choices.map((value) => ({ value })), ...below];
}

function optionsOf(command: Command): Candidate[] {
  const visible: readonly Option[] = command.createHelp().visibleOptions(command);
  return visible.flatMap(({ long, description }) =>
    long == null ? [] : { value: long, about: description },
  );
}

/** Names from afar may hold anything; what can't be shown on a line is left out. */
function isPlain(value: string): boolean {
  return !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(value);
}
