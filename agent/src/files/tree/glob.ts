import { CmdopError, pathCharacters, patternCharacters } from "@cmdop/proto";
import { MAX_GLOB_ALTERNATIVES, MAX_GLOB_BYTES, MAX_GLOBS } from "../place/limits.ts";
import { shown } from "../place/path.ts";

/** One character's worth of a pattern; `run` is `*`. */
type Token =
  | { readonly kind: "run" }
  | { readonly kind: "any" }
  | { readonly kind: "literal"; readonly character: string }
  | {
      readonly kind: "set";
      readonly negated: boolean;
      readonly ranges: readonly (readonly [string, string])[];
    };

/** What one name has to be; `levels` is `**`: any number of names. */
type Segment = "levels" | readonly Token[];

/**
 * Whether one of some globs matches. Each is matched in time linear in pattern
 * times path, whatever the pattern: no expression is built that could run away.
 */
export class Globs {
  readonly #names: readonly (readonly Token[])[];
  readonly #paths: readonly (readonly Segment[])[];
  /** Whether there are none. */
  readonly empty: boolean;

  /** Throws InvalidArgument. */
  constructor(patterns: readonly string[]) {
    if (patterns.length > MAX_GLOBS) {
      throw new CmdopError("InvalidArgument", `${patterns.length} globs; ${MAX_GLOBS} is the limit.`);
    }
    const alternatives = patterns.flatMap((pattern) =>
      alternativesOf(pattern).map((each) => ({ pattern, each })),
    );
    if (alternatives.length > MAX_GLOB_ALTERNATIVES)
      throw invalid(patterns.join(" "), "its braces give too many");
    const [paths, names] = [true, false].map((slash) =>
      alternatives.filter(({ each }) => each.includes("/") === slash),
    );
    this.#names = (names ?? []).map(({ pattern, each }) => tokensOf(each, pattern));
    this.#paths = (paths ?? []).map(({ pattern, each }) =>
      each
        .replace(/^\//, "")
        .split("/")
        .map((part) => (part === "**" ? "levels" : tokensOf(part, pattern))),
    );
    this.empty = patterns.length === 0;
  }

  /** Whether one matches something, by the parts of its path below the directory where the search began. */
  match(parts: readonly string[]): boolean {
    const name = pathCharacters(parts.at(-1) ?? "");
    if (this.#names.some((tokens) => matchName(tokens, name))) return true;
    if (this.#paths.length === 0) return false;
    const characters = parts.map(pathCharacters);
    return this.#paths.some((segments) =>
      matchRuns(segments, characters, (segment) => segment === "levels", matchSegment),
    );
  }
}

function matchSegment(segment: Segment, name: readonly string[]): boolean {
  return segment !== "levels" && matchName(segment, name);
}

function matchName(tokens: readonly Token[], name: readonly string[]): boolean {
  return matchRuns(tokens, name, ({ kind }) => kind === "run", matchCharacter);
}

function matchCharacter(token: Token, character: string): boolean {
  if (token.kind === "literal") return token.character === character;
  if (token.kind !== "set") return true;
  return token.negated !== token.ranges.some(([from, to]) => from <= character && character <= to);
}

/** Matches all items; where it fails, only the last run has to take one item more: what lies before it is settled. */
function matchRuns<P, T>(
  pattern: readonly P[],
  items: readonly T[],
  isRun: (part: P) => boolean,
  matchOne: (part: P, item: T) => boolean,
): boolean {
  let at = 0;
  let item = 0;
  let run: { at: number; item: number } | undefined;
  for (;;) {
    const part = pattern[at];
    if (part !== undefined && isRun(part)) {
      run = { at, item };
      at += 1;
      continue;
    }
    const current = items[item];
    if (part === undefined && current === undefined) return true;
    if (part !== undefined && current !== undefined && matchOne(part, current)) {
      at += 1;
      item += 1;
      continue;
    }
    if (run === undefined || run.item >= items.length) return false;
    run.item += 1;
    at = run.at + 1;
    item = run.item;
  }
}

/** A pattern without braces for each way to choose from them. */
function alternativesOf(pattern: string): string[] {
  if (pattern === "" || Buffer.byteLength(pattern) > MAX_GLOB_BYTES) {
    throw invalid(pattern, `it is to have 1 to ${MAX_GLOB_BYTES} bytes`);
  }
  const done: string[] = [];
  let open = [pattern];
  while (open.length > 0) {
    const next = open.flatMap((each) => expandedOnce(each) ?? []);
    done.push(...open.filter((each) => expandedOnce(each) === undefined));
    if (next.length + done.length > MAX_GLOB_ALTERNATIVES) throw invalid(pattern, "its braces give too many");
    open = next;
  }
  return [...new Set(done)];
}

/** The innermost braces chosen from; undefined where there are none. */
function expandedOnce(pattern: string): string[] | undefined {
  const found = /(?<!\\)\{((?:\\.|[^{}\\])*)\}/.exec(pattern);
  if (found === null) return undefined;
  const choices = (found[1] ?? "").split(/(?<!\\),/);
  const [before, after] = [pattern.slice(0, found.index), pattern.slice(found.index + found[0].length)];
  return choices.map((choice) => before + choice + after);
}

function tokensOf(text: string, pattern: string): Token[] {
  const tokens: Token[] = [];
  const characters = patternCharacters(text);
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at] ?? "";
    if (character === "*") {
      if (tokens.at(-1)?.kind !== "run") tokens.push({ kind: "run" });
    } else if (character === "?") tokens.push({ kind: "any" });
    else if (character === "[") {
      const end = characters.indexOf("]", at + 2);
      if (end === -1) throw invalid(pattern, "a [ has no ]");
      tokens.push(setOf(characters.slice(at + 1, end)));
      at = end;
    } else if (character === "\\") {
      at += 1;
      const escaped = characters[at];
      if (escaped === undefined) throw invalid(pattern, "it ends with a backslash");
      tokens.push({ kind: "literal", character: escaped });
    } else tokens.push({ kind: "literal", character });
  }
  return tokens;
}

function setOf(characters: readonly string[]): Token {
  const negated = characters[0] === "!" || characters[0] === "^";
  const rest = negated ? characters.slice(1) : characters;
  const ranges: [string, string][] = [];
  for (let at = 0; at < rest.length; at += 1) {
    const from = rest[at] ?? "";
    const to = rest[at + 2];
    if (rest[at + 1] === "-" && to !== undefined) {
      ranges.push([from, to]);
      at += 2;
    } else ranges.push([from, from]);
  }
  return { kind: "set", negated, ranges };
}

function invalid(pattern: string, why: string): CmdopError {
  return new CmdopError("InvalidArgument", `The glob ${shown(pattern)} can't be used: ${why}.`, {
    next: "Use *, ?, [a-z], {a,b} and **; a backslash takes its meaning from the next character, and \\xE9 is a byte that is not UTF-8.",
  });
}
