import { existsSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { chainNext } from "./chain.ts";
import { endLine, isHeader, lineOf } from "./chain-file.ts";

/** Torn ends that are kept beside a file; beyond it, the newest replaces the last. */
const MAX_TORN = 8;

/** Reports a finding and the repair, in words. */
type Say = (message: string) => void;

/**
 * Repairs a file without a complete line, in which nothing could be recorded. A header that lacks only its
 * newline gets one; anything else is moved aside. Returns true if the file is usable now.
 */
export function mendHeader(file: string, say: Say): boolean {
  const content = readFileSync(file);
  if (isHeader(content)) {
    endLine(file, content.length);
    return true;
  }
  // An empty file has nothing to keep: it was just being made.
  if (content.length === 0) rmSync(file);
  else keepTorn(file, 0, "its first line is not whole", say);
  return false;
}

/**
 * Repairs the text after the last complete line. A record that lacks only its newline gets one, and is
 * returned with the new size of the file. Any other text is from a write that was cut off, whose call never
 * ran: it is moved aside.
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
  say(`the last record of ${path} lacked its newline, which was added`);
  return { hash: line.hash, bytes: whole };
}

/** Moves the text from `position` on, which is not a record, to a file beside. */
function keepTorn(file: string, position: number, why: string, say: Say): void {
  const aside = nameAside(file);
  if (position === 0) renameSync(file, aside);
  else {
    writeFileSync(aside, readFileSync(file).subarray(position), { mode: 0o600 });
    truncateSync(file, position);
  }
  say(`${file}: ${why}; the incomplete part was moved to ${aside}`);
}

function nameAside(file: string): string {
  for (let number = 1; number < MAX_TORN; number += 1) {
    const name = `${file}.torn-${number}`;
    if (!existsSync(name)) return name;
  }
  return `${file}.torn-${MAX_TORN}`;
}
