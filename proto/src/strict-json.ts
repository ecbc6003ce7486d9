/**
 * Parses JSON, and throws SyntaxError if an object has a duplicate key: parsers differ in which one counts,
 * and people read the first. Takes time and memory in proportion to the text.
 */
export function parseStrictJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  refuseDoubledKeys(text);
  return value;
}

/** Throws for a duplicate key. `text`: valid JSON. */
function refuseDoubledKeys(text: string): void {
  /** Keys so far of each open object; undefined for an array. */
  const open: (Set<string> | undefined)[] = [];
  let isKeyNext = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "{" || character === "[") open.push(character === "{" ? new Set() : undefined);
    else if (character === "}" || character === "]") open.pop();
    if (character === "{" || character === ",") isKeyNext = open.at(-1) !== undefined;
    if (character !== '"') continue;
    const end = endOfString(text, at);
    if (isKeyNext) {
      // Compared as parsed: \u0061 is another spelling of a.
      const key: unknown = JSON.parse(text.slice(at, end + 1));
      const keys = open.at(-1);
      if (keys?.has(String(key)))
        throw new SyntaxError(`the key ${JSON.stringify(key)} stands twice in one object`);
      keys?.add(String(key));
      isKeyNext = false;
    }
    at = end;
  }
}

/** Returns the position of the quotation mark that ends the string beginning at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "\\") at++;
    else if (character === '"') return at;
  }
  throw new SyntaxError("a string does not end");
}
