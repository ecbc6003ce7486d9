import type { Command, Option } from "commander";

/** The cursor's place in a command line, which decides what may come next. */
export interface Position {
  readonly command: Command;
  /** Words of the command before the cursor that are no options. */
  readonly operands: readonly string[];
  /** The option whose value comes next; undefined for anything else. */
  readonly optionBefore?: Option;
  /** True after --, where there are no options. */
  readonly isBehindDashes: boolean;
  /** The word at the cursor, as far as it is typed: of `--option=value` the value. */
  readonly word: string;
  /** The part of that word before the text to complete: `--option=`. */
  readonly before: string;
}

/** Finds the place of the last of these words, which is still being typed. */
export function positionOf(program: Command, words: readonly string[]): Position {
  let command = program;
  const operands: string[] = [];
  let isBehindDashes = false;
  let optionBefore: Option | undefined;
  for (const word of words.slice(0, -1)) {
    if (optionBefore !== undefined) optionBefore = undefined;
    else if (isBehindDashes) operands.push(word);
    else if (word === "--") isBehindDashes = true;
    else if (word.startsWith("-")) optionBefore = optionThatWaits(command, word);
    else {
      const below = operands.length === 0 ? command.commands.find(isCalled(word)) : undefined;
      if (below === undefined) operands.push(word);
      else command = below;
    }
  }
  const word = words.at(-1) ?? "";
  const [, before = "", name = ""] = /^((--[^=]+)=)/.exec(word) ?? [];
  const place = { command, operands, isBehindDashes };
  if (optionBefore !== undefined) return { ...place, optionBefore, word, before: "" };
  const option = isBehindDashes ? undefined : optionOf(command, name);
  if (option === undefined) return { ...place, word, before: "" };
  return { ...place, optionBefore: option, word: word.slice(before.length), before };
}

/** The option that a word names, if its value is the next word. */
function optionThatWaits(command: Command, word: string): Option | undefined {
  const option = optionOf(command, word);
  return option?.required ? option : undefined;
}

function optionOf(command: Command, name: string): Option | undefined {
  return command.options.find(({ short, long }) => name === short || name === long);
}

function isCalled(word: string): (command: Command) => boolean {
  return (command) => command.name() === word || command.aliases().includes(word);
}
