import { setImmediate as nextTurn } from "node:timers/promises";
import { occurrences } from "./occurrences.ts";

/** What is looked through for something alike: a larger file's beginning. It costs some ten times as much as an exact search. */
const MAX_LOOKED_AT_BYTES = 4 * 1024 * 1024;

/** Of the text that was not found: who gives more has no typing error in mind. */
const MAX_TEXT_BYTES = 64 * 1024;

/** Lines that are made alike before others get a turn. */
const LINES_AT_ONCE = 5_000;

/** A longer line is no text that somebody has typed; it is compared as it is. */
const MAX_LINE_CHARACTERS = 10_000;

/** Characters of a line that are shown. */
const SHOWN_CHARACTERS = 120;

/** Characters that look like others, by what they look like. */
const ALIKE: readonly (readonly [RegExp, string])[] = [
  [/[\u2018\u2019\u201a\u201b\u2032]/g, "'"],
  [/[\u201c\u201d\u201e\u201f\u2033]/g, '"'],
  [/[\u2010-\u2015\u2212]/g, "-"],
  [/[\u200b-\u200d\u2060\ufeff\u00ad]/g, ""],
  [/\s+/g, " "],
];

/** Beyond it a character's number says more than its looks. */
const MAX_ASCII = 0x7f;

/** Names of characters that can't be seen for what they are. */
const NAMES: Readonly<Record<string, string>> = {
  "\t": "a tab",
  " ": "a space",
  "\u00a0": "a no-break space",
  "\ufeff": "a byte order mark",
  "\u200b": "a zero-width space",
};

/**
 * Where a text that does not occur nearly does, and how that differs, in a
 * sentence or two; undefined where nothing is alike. Spaces, quotes, upper and
 * lower case and Unicode forms don't count for what is alike. Linear, and bounded.
 */
export async function nearest(
  bytes: Uint8Array,
  old: Uint8Array,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (old.length > MAX_TEXT_BYTES) return undefined;
  const lines = split(bytes.subarray(0, MAX_LOOKED_AT_BYTES));
  const wanted = split(old);
  const text = await alikeOf(lines, signal);
  const needle = Buffer.from(wanted.map(alike).join("\n").trim());
  const at = await firstLine(text, needle, signal);
  if (at !== undefined) return difference(lines, wanted, at);
  return await anchored(lines, wanted, text, signal);
}

/** The same by the longest line of the text, where the whole is nowhere alike. */
async function anchored(
  lines: readonly string[],
  wanted: readonly string[],
  text: Buffer,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (wanted.length < 2) return undefined;
  const lengths = wanted.map((line) => alike(line).trim().length);
  const longest = lengths.indexOf(Math.max(...lengths));
  const needle = Buffer.from(alike(wanted[longest] ?? "").trim());
  const at = await firstLine(text, needle, signal);
  if (at === undefined) return undefined;
  for (const [nth, line] of wanted.entries()) {
    const index = at - longest + nth;
    const there = lines[index];
    if (there !== undefined && alike(there).trim() === alike(line).trim()) continue;
    const found = there === undefined ? "is not there" : `is ${quoted(there)}`;
    return `Line ${at + 1} is like line ${longest + 1} of it; but line ${index + 1} ${found}, where the text has ${quoted(line)}.`;
  }
  return undefined;
}

/** How the text differs from the lines from one on, by the first character that does. */
function difference(lines: readonly string[], wanted: readonly string[], first: number): string | undefined {
  let index = first;
  // What is not seen of the text may be whole lines.
  const begin = wanted.findIndex((line) => alike(line).trim() !== "");
  for (const [nth, line] of wanted.entries()) {
    if (nth < begin) continue;
    const there = lines[index];
    index += 1;
    if (there === undefined) break;
    if (stands(there, line, { isFirst: nth === begin, isLast: nth === wanted.length - 1 })) continue;
    return `It comes nearest in line ${index}, ${quoted(there)}: ${firstDifference(there, line)}.`;
  }
  return `It comes nearest in line ${first + 1}, but for empty lines or spaces around it.`;
}

/** Whether a line has its part of the text: the first may begin before it, the last go on behind it. */
function stands(
  there: string,
  line: string,
  { isFirst, isLast }: { isFirst: boolean; isLast: boolean },
): boolean {
  if (isFirst && isLast) return there.includes(line);
  if (isFirst) return there.endsWith(line);
  return isLast ? there.startsWith(line) : there === line;
}

function firstDifference(there: string, line: string): string {
  if (!there.includes(line) && there.normalize("NFC").includes(line.normalize("NFC"))) {
    return "the same characters in another Unicode form (NFC, NFD)";
  }
  // The text may begin in the middle of the line.
  const [word = ""] = line.trim().split(/\s/);
  const from = line.startsWith(word) && word !== "" ? Math.max(0, there.indexOf(word)) : 0;
  const ours = [...line];
  const theirs = [...there.slice(from)];
  const at = ours.findIndex((character, index) => character !== theirs[index]);
  if (at === -1) return `behind ${quoted(line)} it goes on with ${named(theirs[ours.length])}`;
  const column = [...there.slice(0, from)].length + at + 1;
  return `column ${column} has ${named(theirs[at])} where the text has ${named(ours[at])}`;
}

function named(character: string | undefined): string {
  if (character === undefined) return "the end of the line";
  const name = Object.hasOwn(NAMES, character) ? NAMES[character] : JSON.stringify(character);
  const code = character.codePointAt(0) ?? 0;
  return code <= MAX_ASCII ? `${name}` : `${name} (U+${code.toString(16).toUpperCase().padStart(4, "0")})`;
}

function quoted(line: string): string {
  return JSON.stringify(line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…` : line);
}

function split(bytes: Uint8Array): string[] {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString()
    .split(/\r\n|\n|\r/);
}

/** A line without what is easily mistaken. */
function alike(line: string): string {
  if (line.length > MAX_LINE_CHARACTERS) return line;
  let text = line.normalize("NFKC").toLowerCase();
  for (const [pattern, plain] of ALIKE) text = text.replace(pattern, plain);
  return text.trim();
}

async function alikeOf(lines: readonly string[], signal: AbortSignal): Promise<Buffer> {
  const parts: string[] = [];
  for (let from = 0; from < lines.length && !signal.aborted; from += LINES_AT_ONCE) {
    parts.push(
      lines
        .slice(from, from + LINES_AT_ONCE)
        .map(alike)
        .join("\n"),
    );
    await nextTurn();
  }
  return Buffer.from(parts.join("\n"));
}

/** The line (from 0) in which a text begins first. */
async function firstLine(text: Buffer, needle: Buffer, signal: AbortSignal): Promise<number | undefined> {
  if (needle.length === 0) return undefined;
  for await (const at of occurrences(text, needle, signal)) {
    let line = 0;
    for (let end = text.indexOf(0x0a); end !== -1 && end < at; end = text.indexOf(0x0a, end + 1)) line += 1;
    return line;
  }
  return undefined;
}
