import type { Command, Option } from "commander";

/** A word of a command's usage that stands for what a person types. */
export interface Placeholder {
  /** In capitals: `MACHINE`. */
  readonly name: string;
  readonly isOptional: boolean;
  readonly isVariadic: boolean;
}

/** Returns the placeholders of a command's operands from its usage, so that completion follows the help. */
export function placeholdersOf(command: Command): Placeholder[] {
  // Another form of the same comes after a |.
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

/** Returns the placeholders of a command's next operand: several where one may be left out, or has come already. */
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

/** Returns the placeholder of an option's value: `FILE` for `--join <file>`. */
export function valuePlaceholder(option: Option): string {
  const [, name = ""] = /[<[]([a-z]+)/.exec(option.flags) ?? [];
  return name.toUpperCase();
}
