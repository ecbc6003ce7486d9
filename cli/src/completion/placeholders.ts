import type { Command, Option } from "commander";

/** What stands for a word in a command's usage. */
export interface Placeholder {
  /** In capitals: `MACHINE`. */
  readonly name: string;
  readonly isOptional: boolean;
  readonly isVariadic: boolean;
}

/** What the operands of a command are, as its usage says it: what help shows is what is completed. */
export function placeholdersOf(command: Command): Placeholder[] {
  // What comes after a | is another form of the same.
  const [usage = ""] = command.usage().split("|");
  return usage
    .split(/\s+/)
    .map((word) => /^(\[?)<?([A-Za-z]+)>?(\.\.\.|…)?>?\]?$/.exec(word))
    .flatMap((found) => {
      const [, optional, name = "", variadic] = found ?? [];
      if (found === null || name === "options" || name === "command") return [];
      return { name: name.toUpperCase(), isOptional: optional === "[", isVariadic: variadic !== undefined };
    });
}

/** What a command's next operand may be: several where one may be left out, or has come already. */
export function nextPlaceholders(command: Command, operands: readonly string[]): string[] {
  const all = placeholdersOf(command);
  const variadic = all.findIndex(({ isVariadic }) => isVariadic);
  const at = variadic === -1 ? operands.length : Math.min(operands.length, variadic);
  const names: string[] = [];
  for (const { name, isOptional, isVariadic } of all.slice(at)) {
    names.push(name);
    if (!isOptional && !isVariadic) break;
  }
  return names;
}

/** What the value of an option is: `FILE` for `--join <file>`. */
export function valuePlaceholder(option: Option): string {
  const [, name = ""] = /[<[]([a-z]+)/.exec(option.flags) ?? [];
  return name.toUpperCase();
}
