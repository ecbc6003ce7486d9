/** Longest text that is compared: the distance is quadratic, and no name of ours is longer. */
const MAX_COMPARED_CHARS = 100;

/** Suggestions for one slip. */
const MAX_SUGGESTIONS = 3;

/** The candidates that are closest to a text, the closest first; only those that are close with `closeOnly`. */
export function closest(text: string, candidates: Iterable<string>, { closeOnly = true } = {}): string[] {
  const wanted = comparable(text);
  return [...new Set(candidates)]
    .map((candidate) => ({ candidate, distance: distance(wanted, comparable(candidate)) }))
    .filter(({ distance }) => !closeOnly || distance <= mostSlips(wanted))
    .sort((one, other) => one.distance - other.distance)
    .slice(0, MAX_SUGGESTIONS)
    .map(({ candidate }) => candidate);
}

/** `Did you mean web-1 or web-2?`; undefined where nothing is close. */
export function didYouMean(text: string, candidates: Iterable<string>): string | undefined {
  const found = closest(text, candidates);
  return found.length === 0 ? undefined : `Did you mean ${found.join(" or ")}?`;
}

/** Slips in a word that still let it be recognised: one in short words, a third of longer ones. */
function mostSlips(text: string): number {
  return Math.max(1, Math.floor(text.length / 3));
}

function comparable(text: string): string {
  return text.slice(0, MAX_COMPARED_CHARS).toLowerCase();
}

/** The insertions, deletions, replacements and swaps of neighbours that make one text of another. */
function distance(one: string, other: string): number {
  let before: number[] = [];
  let row = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let index = 1; index <= one.length; index++) {
    const next = [index];
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[index - 1] === other[column - 1];
      const replaced = (row[column - 1] ?? 0) + (isSame ? 0 : 1);
      const isSwap = one[index - 1] === other[column - 2] && one[index - 2] === other[column - 1];
      const swapped = isSwap ? (before[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(replaced, swapped, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row.at(-1) ?? 0;
}
