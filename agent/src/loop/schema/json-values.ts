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

/**
 * Returns the JSON values that an answer may mean, the likeliest first: the whole answer; the contents of
 * code fences; objects and arrays among other words. Of several, the last comes first, since drafts come
 * before answers; empty objects come last.
 */
export function jsonValues(answer: string, depth = 0): unknown[] {
  const text = answer.replace(/^\ufeff/, "").trim();
  const whole = parsed(text);
  if (typeof whole === "string") return depth < MAX_STRING_DEPTH ? jsonValues(whole, depth + 1) : [whole];
  if (whole !== undefined) return [whole];
  const fenced = [...text.matchAll(FENCED)]
    .map(([, content = ""]) => parsed(content))
    .filter((value) => value !== undefined);
  const found = [...fenced.reverse(), ...embedded(text).reverse()];
  return [...found.filter((value) => !isEmpty(value)), ...found.filter(isEmpty)].slice(0, MAX_VALUES);
}

/** Returns the outermost objects and arrays in a text. */
function embedded(text: string): unknown[] {
  const values: unknown[] = [];
  let at = text.search(/[{[]/);
  for (let tried = 0; at !== -1 && tried < MAX_TRIED; tried += 1) {
    const end = endOfValue(text, at);
    const value = end === undefined ? undefined : parsed(text.slice(at, end));
    if (value !== undefined) values.push(value);
    const from = value === undefined || end === undefined ? at + 1 : end;
    const next = text.slice(from).search(/[{[]/);
    at = next === -1 ? -1 : from + next;
  }
  return values;
}

/** Returns the index after the bracket that closes the one at `from`; undefined if there is none. */
function endOfValue(text: string, from: number): number | undefined {
  let depth = 0;
  let isString = false;
  for (let at = from; at < text.length; at += 1) {
    const character = text[at];
    if (isString) {
      if (character === "\\") at += 1;
      else if (character === '"') isString = false;
    } else if (character === '"') isString = true;
    else if (character === "{" || character === "[") depth += 1;
    else if (character === "}" || character === "]") {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return undefined;
}

/** Parses JSON; returns undefined for invalid JSON, since no JSON value is undefined. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return undefined;
    throw thrown;
  }
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
