/** Characters that a short id has at least: with fewer, a new id could soon begin alike. */
const SHORT_ID_CHARS = 8;

/** Returns a function that shortens these ids to beginnings by which each is told from the others. Other ids it leaves whole. */
export function shortIds(ids: Iterable<string>): (id: string) => string {
  const sorted = [...new Set(ids)].sort();
  const short = new Map<string, string>();
  for (const [index, id] of sorted.entries()) {
    const shared = Math.max(commonChars(id, sorted[index - 1]), commonChars(id, sorted[index + 1]));
    short.set(id, id.slice(0, Math.max(SHORT_ID_CHARS, shared + 1)));
  }
  return (id) => short.get(id) ?? id;
}

/** The beginning of an id, where it is only to be recognised. */
export function shortId(id: string): string {
  return id.slice(0, SHORT_ID_CHARS);
}

function commonChars(id: string, other = ""): number {
  let count = 0;
  while (count < id.length && id[count] === other[count]) count += 1;
  return count;
}
