import { realpathSync } from "node:fs";
import path from "node:path";
import { unlessSync } from "@cmdop/kit";

/**
 * The cmdop that runs now, as another program can start it: Node and the entry
 * file, from source or as built. One that was installed is named by the link that
 * upgrades move (PREFIX/current), so that units and settings outlive this version.
 */
export function ownCommand(): { readonly program: string; readonly main: string } {
  const main = path.join(import.meta.dirname, `main${path.extname(import.meta.filename)}`);
  return { program: stablePath(process.execPath), main: stablePath(main) };
}

/** PREFIX/versions/VERSION/x as PREFIX/current/x, where that is the same file now. */
export function stablePath(file: string): string {
  const [, prefix, inside] = /^(.*)\/versions\/[^/]+\/(.+)$/.exec(file) ?? [];
  if (prefix === undefined || inside === undefined) return file;
  const stable = path.join(prefix, "current", inside);
  const real = unlessSync(["ENOENT", "ENOTDIR", "ELOOP"], () => realpathSync(stable));
  return real === realpathSync(file) ? stable : file;
}
