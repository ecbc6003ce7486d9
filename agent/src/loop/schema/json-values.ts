/** Starts of objects and arrays in an answer that are tried: more is no answer, and each costs a look at the rest. */
const MAX_TRIED = 100;

/** Values of one answer that are looked at. */
const MAX_VALUES = 32;

/** JSON in a string of JSON, and that once more: deeper is no answer. */
const MAX_STRING_DEPTH = 2;

const FENCED = /(?:```|~~~)[\w-]*[ \t]*\r?\n([\s\S]*?)(?:```|~~~|$)/g;

/**
 * What an answer may mean as JSON, the likeliest first: all of it; what stands in
 * code fences; objects and arrays among other words. Of several the last comes
 * first, since drafts come before answers, and an empty object last of all.
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

/** Objects and arrays in a text, those within others left out. */
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

/** Behind the bracket that closes the one at `from`; undefined where there is none. */
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

/** Undefined for what is no JSON: undefined itself can't be said in it. */
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
