/** Characters of an unknown name that are looked at and quoted: no tool's name is longer. */
const MAX_NAME_CHARS = 64;

/** Edits between two names that still look like a slip. */
const MAX_EDITS = 3;

/** How tools are listed. Both forms are accepted on every call. */
export type ToolNames = "underscore" | "dotted";

/** `terminal_execute` as `terminal.execute`: the family ends at the first underscore. */
export function dotted(name: string): string {
  return name.replace("_", ".");
}

/** The tool that a call means, whichever way it writes the name. */
export function findByName<T>(tools: ReadonlyMap<string, T>, name: string): T | undefined {
  return tools.get(name) ?? tools.get(name.replaceAll(".", "_"));
}

/** A message that names the unknown tool and those that may have been meant. */
export function unknownNameMessage(name: string, known: readonly string[]): string {
  const given = name.slice(0, MAX_NAME_CHARS).toWellFormed();
  const wanted = given.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_");
  const words = new Set(wanted.split("_").filter((word) => word !== ""));
  const close = known.filter(
    (candidate) =>
      edits(wanted, candidate) <= MAX_EDITS || candidate.split("_").some((word) => words.has(word)),
  );
  return `There is no tool ${JSON.stringify(given)}. ${close.length > 0 ? "Close to it" : "There are"}: ${(close.length > 0 ? close : known).join(", ")}.`;
}

/** Levenshtein's distance; both names are short. */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [index, character] of [...from].entries()) {
    const next = [index + 1];
    for (const [column, other] of [...to].entries()) {
      const replaced = (row[column] ?? 0) + (character === other ? 0 : 1);
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
