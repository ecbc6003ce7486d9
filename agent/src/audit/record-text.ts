import { createHash } from "node:crypto";
import { visible } from "@cmdop/proto";
import type { Redact } from "../policy/redact.ts";

/** What is looked at of a text, in characters: the longest command, were it all quotes. What is longer runs nowhere. */
const MAX_TEXT_CHARACTERS = 6 * 1024 * 1024;

/** How text goes into a record. */
export interface RecordTextBounds {
  /** What it may take in the record, as JSON in UTF-8; 300 at least. */
  readonly maxBytes: number;
  /** Leaves out what is not to be recorded. */
  readonly redact: Redact;
}

/**
 * Text as a record has it: redacted, everything misleading made visible, and of
 * bounded length. Of what is too long its beginning and its end are kept, since
 * either may be what counts, with the length and the SHA-256 (base64url) of the
 * whole. All of them are of the redacted text: by a hash of what is hidden, it
 * could be guessed.
 */
export function recordText(text: string, { maxBytes, redact }: RecordTextBounds): string {
  const left = redact(text.slice(0, MAX_TEXT_CHARACTERS));
  if (left.length <= maxBytes && text.length <= MAX_TEXT_CHARACTERS) {
    const whole = visible(left);
    if (bytesOf(whole) <= maxBytes) return whole;
  }
  const characters = left.length + Math.max(0, text.length - MAX_TEXT_CHARACTERS);
  const hash = createHash("sha256").update(left).digest("base64url");
  const note = (missing: number): string =>
    `… and ${missing} more characters of ${characters}, SHA-256 ${hash} …`;
  const halfBytes = Math.floor((maxBytes - bytesOf(note(characters))) / 2);
  const head = within(left.slice(0, halfBytes), halfBytes);
  const tail = within([...left.slice(-halfBytes)].reverse(), halfBytes);
  const shown = head.characters + tail.characters;
  return head.shown.join("") + note(Math.max(0, characters - shown)) + tail.shown.reverse().join("");
}

/** As many of the first characters, made visible, as fit into so many bytes of a record. */
function within(characters: Iterable<string>, maxBytes: number): { shown: string[]; characters: number } {
  const shown: string[] = [];
  let count = 0;
  let bytes = 0;
  for (const character of characters) {
    const seen = visible(character);
    bytes += bytesOf(seen);
    if (bytes > maxBytes) break;
    shown.push(seen);
    count += character.length;
  }
  return { shown, characters: count };
}

/** What a text takes in a record. */
function bytesOf(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}
