import { existsSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { chainNext } from "./chain.ts";
import { endLine, isHeader, lineOf } from "./chain-file.ts";

/** Torn ends that are kept beside a file; the newest replaces the last. */
const MAX_TORN = 8;

/** Told, in words, what was found and done. */
type Say = (message: string) => void;

/**
 * Looks after a file without any whole line: nothing can be recorded in it. A
 * header that lacks but its newline gets it. Anything else is moved aside.
 * Whether the file is one now.
 */
export function mendHeader(file: string, say: Say): boolean {
  const content = readFileSync(file);
  if (isHeader(content)) {
    endLine(file, content.length);
    return true;
  }
  // Of an empty one there is nothing to keep: it was just being made.
  if (content.length === 0) rmSync(file);
  else keepTorn(file, 0, "its first line is not whole", say);
  return false;
}

/**
 * What stands behind the last whole line: a record that lacks but its newline
 * gets it, and is returned with the bytes that the file then has. Of any other
 * the write was cut off, and its call never ran: it is moved aside.
 */
export function mendEnd(
  { path, bytes }: { readonly path: string; readonly bytes: number },
  previous: Uint8Array,
  say: Say,
): { readonly hash: Uint8Array; readonly bytes: number } | undefined {
  const torn = readFileSync(path).subarray(bytes);
  if (torn.length === 0) return undefined;
  const line = lineOf(torn);
  if (line === undefined || Buffer.compare(chainNext(previous, line.body), line.hash) !== 0) {
    keepTorn(path, bytes, `${torn.length} bytes of a record were not written whole`, say);
    return undefined;
  }
  const whole = endLine(path, bytes + torn.length);
  say(`the last record of ${path} had lost its newline, and has it again`);
  return { hash: line.hash, bytes: whole };
}

/** Moves what begins at `position`, and is no record, to a file beside. */
function keepTorn(file: string, position: number, why: string, say: Say): void {
  const aside = nameAside(file);
  if (position === 0) renameSync(file, aside);
  else {
    writeFileSync(aside, readFileSync(file).subarray(position), { mode: 0o600 });
    truncateSync(file, position);
  }
  say(`${file}: ${why}; what there is of it was moved to ${aside}`);
}

function nameAside(file: string): string {
  for (let number = 1; number < MAX_TORN; number += 1) {
    const name = `${file}.torn-${number}`;
    if (!existsSync(name)) return name;
  }
  return `${file}.torn-${MAX_TORN}`;
}
