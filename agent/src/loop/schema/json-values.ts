/**
 * Starts of objects and arrays that are tried in one answer. An answer with more is not meant as JSON, and
 * each costs a scan of the rest.
 */
const MAX_TRIED = 100;

/** Values that are tried in one answer. */
const MAX_VALUES = 32;

/** Levels of JSON within a JSON string. Deeper nesting is not meant as an answer. */
const MAX_STRING_DEPTH = 2;

const FENCED = /(?:```|~~~)[\w-]*[ \t]*\r?\n([\s\S]*?)(?:```|~~~|$)/g;

/** A thought that some models write among their words: what stands in it is a draft. */
const THOUGHT = /<(think|thinking|thought|reasoning)>[\s\S]*?(?:<\/\1>|$)/gi;

/** A value, and where it began. */
interface Found {
  readonly value: unknown;
  readonly at: number;
}

/**
 * Returns the JSON values that an answer may mean, the likeliest first: the whole answer; the contents of
 * code fences; objects and arrays among other words. Of several, the last comes first, since drafts come
 * before answers; then what stands in a thought, and empty objects last. JSON is read as a person would
 * (`parsed`).
 */
export function jsonValues(answer: string, depth = 0): unknown[] {
  const text = answer.replace(/^\ufeff/, "").trim();
  const whole = parsed(text);
  if (typeof whole === "string") return depth < MAX_STRING_DEPTH ? jsonValues(whole, depth + 1) : [whole];
  if (whole !== undefined) return [whole];
  const found = [...fenced(text).reverse(), ...embedded(text).reverse()];
  const thoughts = [...text.matchAll(THOUGHT)].map(({ index, 0: { length } }) => [index, index + length]);
  const isDraft = ({ at }: Found): boolean => thoughts.some(([from = 0, to = 0]) => at >= from && at < to);
  const rank = (one: Found): number => (isEmpty(one.value) ? 2 : 0) + (isDraft(one) ? 1 : 0);
  return found
    .toSorted((one, other) => rank(one) - rank(other))
    .slice(0, MAX_VALUES)
    .map(({ value }) => value);
}

/** Returns the contents of code fences. */
function fenced(text: string): Found[] {
  return [...text.matchAll(FENCED)]
    .map(({ index, 1: content = "" }) => ({ value: parsed(content), at: index }))
    .filter(({ value }) => value !== undefined);
}

/** Returns the outermost objects and arrays in a text. */
function embedded(text: string): Found[] {
  const values: Found[] = [];
  let at = text.search(/[{[]/);
  for (let tried = 0; at !== -1 && tried < MAX_TRIED; tried += 1) {
    const found = valueAt(text, at, STRICT_QUOTES) ?? valueAt(text, at, LOOSE_QUOTES);
    if (found !== undefined) values.push({ value: found.value, at });
    const from = found?.end ?? at + 1;
    const next = text.slice(from).search(/[{[]/);
    at = next === -1 ? -1 : from + next;
  }
  return values;
}

/** Quotes of strings: an apostrophe is one only where nothing else makes sense. */
const STRICT_QUOTES = '"';
const LOOSE_QUOTES = `"'`;

/** Returns the value whose bracket opens at `from`, and the index behind it. */
function valueAt(text: string, from: number, quotes: string): { value: unknown; end: number } | undefined {
  const end = endOfValue(text, from, quotes);
  const value = end === undefined ? undefined : parsed(text.slice(from, end));
  return end === undefined || value === undefined ? undefined : { value, end };
}

/** Returns the index after the bracket that closes the one at `from`; undefined if there is none. */
function endOfValue(text: string, from: number, quotes: string): number | undefined {
  let depth = 0;
  let open: string | undefined;
  for (let at = from; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if (open !== undefined) {
      if (character === "\\") at += 1;
      else if (character === open) open = undefined;
    } else if (quotes.includes(character)) open = character;
    else if (character === "{" || character === "[") depth += 1;
    else if (character === "}" || character === "]") {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return undefined;
}

/**
 * Parses JSON, and what models write for it: a comma before a closing bracket, strings in apostrophes, and
 * Python's True, False and None. Returns undefined for anything else, since no JSON value is undefined.
 */
function parsed(text: string): unknown {
  const value = parsedStrictly(text);
  return value === undefined && /^\s*[{[]/.test(text) ? parsedStrictly(asJson(text)) : value;
}

function parsedStrictly(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

/** A string in either kind of quotes (an open one goes to the end: each is looked at once), a comma before a closing bracket, or a word of Python's. */
const LOOSE = /"(?:[^"\\]|\\.)*(?:"|\\?$)|'((?:[^'\\]|\\.)*)(?:'|\\?$)|,(?=\s*[}\]])|\b(True|False|None)\b/gs;

const PYTHON_WORDS: Readonly<Record<string, string>> = { True: "true", False: "false", None: "null" };

function asJson(text: string): string {
  return text.replace(LOOSE, (token: string, single: string | undefined, word: string | undefined) => {
    if (word !== undefined) return PYTHON_WORDS[word] ?? word;
    if (single !== undefined) return `"${single.replaceAll("\\'", "'").replaceAll(/(?<!\\)"/g, '\\"')}"`;
    return token === "," ? "" : token;
  });
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
