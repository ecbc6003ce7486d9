import { LINK_SERVICE_PREFIX, METHODS, RELAY_SERVICES_PREFIX } from "@cmdop/proto";
import { usageError } from "../console/exit.ts";

/** Methods of machines: what a machine's policy can be asked about. */
const MACHINE_METHODS = Object.keys(METHODS).filter(
  (path) => !path.startsWith(RELAY_SERVICES_PREFIX) && !path.startsWith(LINK_SERVICE_PREFIX),
);

/** Suggestions for a method that does not exist. */
const MAX_SUGGESTIONS = 3;

/** `Files/Read` for `/cmdop.v1.Files/Read`: as people say it. What is no such path stays as it is. */
export function shortMethod(path: string): string {
  return path.replace(/^\/cmdop\.(?:relay\.)?v1\./, "");
}

/** The path of a machine's method from `Files/Read`, `files.read` or the whole path. Wrong ones end with suggestions. */
export function methodNamed(text: string): string {
  const wanted = comparable(text);
  const found = MACHINE_METHODS.find((path) => comparable(path) === wanted);
  if (found !== undefined) return found;
  const closest = MACHINE_METHODS.map((path) => ({ path, distance: distance(comparable(path), wanted) }))
    .sort((one, other) => one.distance - other.distance)
    .slice(0, MAX_SUGGESTIONS);
  throw usageError(
    `machines have no method ${JSON.stringify(text)}.`,
    `Did you mean ${closest.map(({ path }) => shortMethod(path)).join(", ")}?`,
  );
}

function comparable(text: string): string {
  return shortMethod(text.slice(0, MAX_METHOD_CHARS)).toLowerCase().replace(".", "/");
}

/** No method has a longer name; the distance below is quadratic. */
const MAX_METHOD_CHARS = 100;

/** Levenshtein's distance. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (const [index, character] of [...one].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= other.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (character === other[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
