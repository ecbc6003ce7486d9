/** What is in a file of this form. */
export type Yaml = string | Yaml[] | { [key: string]: Yaml };

interface Line {
  readonly indent: number;
  readonly text: string;
}

/**
 * Reads as much of YAML as pnpm writes into its lockfile: maps and lists by
 * indentation, `{a: b}` and `[a, b]` in one line, plain and quoted words. All
 * words are strings. Throws at anything else.
 */
export function parseYaml(text: string): Yaml {
  const lines = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => ({ indent: line.length - line.trimStart().length, text: line.trim() }));
  const [value, rest] = block(lines, 0);
  if (rest.length > 0) throw new Error(`YAML: ${rest[0]?.text} stands where nothing was expected.`);
  return value;
}

/** The value of the lines that are indented by `indent`, and the lines behind it. */
function block(lines: readonly Line[], indent: number): [Yaml, readonly Line[]] {
  return lines[0]?.text.startsWith("- ") ? list(lines, indent) : map(lines, indent);
}

function list(lines: readonly Line[], indent: number): [Yaml[], readonly Line[]] {
  const items: Yaml[] = [];
  let rest = lines;
  for (let [line] = rest; line?.indent === indent && line.text.startsWith("- "); [line] = rest) {
    items.push(inline(line.text.slice(2)));
    rest = rest.slice(1);
  }
  return [items, rest];
}

const ENTRY = /^('(?:[^']|'')*'|[^'{[\s][^\s]*?):(?: (.+))?$/;

function map(lines: readonly Line[], indent: number): [{ [key: string]: Yaml }, readonly Line[]] {
  const entries: [string, Yaml][] = [];
  let at = 0;
  while (lines[at]?.indent === indent) {
    const [, key, value] = ENTRY.exec(lines[at]?.text ?? "") ?? [];
    if (key === undefined) throw new Error(`YAML: what is ${lines[at]?.text}?`);
    at += 1;
    if (value !== undefined) {
      entries.push([word(key), inline(value)]);
      continue;
    }
    let end = at;
    while ((lines[end]?.indent ?? -1) > indent) end += 1;
    const [inner, left] = block(lines.slice(at, end), lines[at]?.indent ?? 0);
    if (left.length > 0) throw new Error(`YAML: ${left[0]?.text} is indented as nothing around it.`);
    entries.push([word(key), inner]);
    at = end;
  }
  return [Object.fromEntries(entries), lines.slice(at)];
}

function inline(text: string): Yaml {
  if (text.startsWith("[")) return parts(text, "]").map(word);
  if (!text.startsWith("{")) return word(text);
  return Object.fromEntries(
    parts(text, "}").map((part) => {
      const [, key, value] = ENTRY.exec(part) ?? [];
      if (key === undefined || value === undefined) throw new Error(`YAML: what is ${text}?`);
      return [word(key), word(value)];
    }),
  );
}

function parts(text: string, end: string): string[] {
  if (!text.endsWith(end)) throw new Error(`YAML: ${text} has no end.`);
  const inner = text.slice(1, -1).trim();
  return inner === "" ? [] : inner.split(", ");
}

function word(text: string): string {
  if (!/^['"{[&*!|>%@`]/.test(text)) return text;
  if (text.length > 1 && text.startsWith("'") && text.endsWith("'"))
    return text.slice(1, -1).replaceAll("''", "'");
  throw new Error(`YAML: ${text} is no word of the kind that is read here.`);
}
