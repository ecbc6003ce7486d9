import { LINK_SERVICE_PREFIX, METHODS, RELAY_SERVICES_PREFIX } from "@cmdop/proto";
import { closest } from "../console/did-you-mean.ts";
import { usageError } from "../console/exit.ts";

/** Methods of machines: what a machine's policy can be asked about. */
const MACHINE_METHODS = Object.keys(METHODS).filter(
  (path) => !path.startsWith(RELAY_SERVICES_PREFIX) && !path.startsWith(LINK_SERVICE_PREFIX),
);

/** `Files/Read` for `/cmdop.v1.Files/Read`: as people say it. What is no such path stays as it is. */
export function shortMethod(path: string): string {
  return path.replace(/^\/cmdop\.(?:relay\.)?v1\./, "");
}

/** The path of a machine's method from `Files/Read`, `files.read` or the whole path. Wrong ones end with suggestions. */
export function methodNamed(text: string): string {
  const wanted = comparable(text);
  const found = MACHINE_METHODS.find((path) => comparable(path) === wanted);
  if (found !== undefined) return found;
  const suggestions = closest(wanted, MACHINE_METHODS.map(shortMethod), { closeOnly: false });
  throw usageError(
    `machines have no method ${JSON.stringify(text)}.`,
    `Did you mean ${suggestions.join(", ")}?`,
  );
}

function comparable(text: string): string {
  return shortMethod(text).toLowerCase().replace(".", "/");
}
