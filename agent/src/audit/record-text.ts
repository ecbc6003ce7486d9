import { createHash } from "node:crypto";
import { visible } from "@cmdop/proto";
import type { Redact } from "../policy/redact.ts";

/**
 * Most characters of a text that are processed: the longest command, even if it consisted of quotes only.
 * Longer ones can't run anywhere.
 */
const MAX_TEXT_CHARACTERS = 6 * 1024 * 1024;

/** Bounds of a text in a record. */
export interface RecordTextBounds {
  /** Most bytes in the record, as JSON in UTF-8; at least 300. */
  readonly maxBytes: number;
  /** Hides everything that must not be recorded. */
  readonly redact: Redact;
}

/**
 * Prepares a text for a record: redacted, with everything misleading made visible, and of limited length. A
 * text that is too long keeps its beginning and its end, since either may matter, with the length and the
 * SHA-256 (base64url) of the whole. Both are of the redacted text, because a hash of the original would let a
 * hidden part be guessed.
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

/** Returns as many of the first characters, made visible, as fit into this number of bytes of a record. */
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

/** Returns the bytes of a text in a record. */
function bytesOf(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}
