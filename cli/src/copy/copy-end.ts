import { pathText } from "@cmdop/proto/path-text";
import { usageError } from "../console/exit.ts";
import { pathOf, wordOf } from "../console/raw-arguments.ts";

/** One end of a copy: a path here, or one on a machine. */
export interface CopyEnd {
  readonly machine: string | undefined;
  /** Written as names are; here, too. */
  readonly path: string;
}

/** Tells `MACHINE:PATH` from a path here: a slash before the first colon makes it one. Throws usageError. */
export function copyEnd(text: string): CopyEnd {
  const [, machine, path] = /^([^/:]+):(.*)$/s.exec(text) ?? [];
  if (machine !== undefined && path !== undefined) return { machine, path: fromHome(pathOf(path), machine) };
  if (text === "") throw usageError("a path is empty.", "Name a file, or . for this directory.");
  return { machine: undefined, path: pathText(wordOf(text)) };
}

/** A path on a machine as ssh's users expect it: from the home, unless it is absolute. */
function fromHome(path: string, machine: string): string {
  if (path === "") return "~";
  if (path.startsWith("/") || /^~(?:\/|$)/.test(path)) return path;
  if (!path.startsWith("~")) return `~/${path}`;
  throw usageError(
    `only the own home of ${machine} can be written with ~, not ${path.split("/")[0]}.`,
    `Say the absolute path; a file of that name is ${machine}:./${path}.`,
  );
}
