import { visible } from "@cmdop/proto";

/** What of a text patterns are applied to, in characters: more than any record shows. */
const MAX_REDACTED_CHARACTERS = 64 * 1024;

/** How text goes into a record. */
export interface RecordTextBounds {
  /** What it may take in the record, as JSON in UTF-8; 100 at least. */
  readonly maxBytes: number;
  /** What these match is left out. */
  readonly redact: readonly RegExp[];
}

/** Text as a record has it: redacted, everything misleading made visible, and of bounded length; what does not fit is counted. */
export function recordText(text: string, { maxBytes, redact }: RecordTextBounds): string {
  const left = redacted(text.slice(0, MAX_REDACTED_CHARACTERS), redact);
  // Cut before it is made visible, which takes time for each character; nothing gets shorter by that.
  const missing = Math.max(0, text.length - MAX_REDACTED_CHARACTERS) + Math.max(0, left.length - maxBytes);
  return fitted(visible(left.slice(0, maxBytes)), maxBytes, missing);
}

/** Text without what any of the patterns matches, wherever it does. */
export function redacted(text: string, patterns: readonly RegExp[]): string {
  return patterns.reduce((left, pattern) => {
    const everywhere = pattern.global ? pattern : new RegExp(pattern, `${pattern.flags}g`);
    return left.replace(everywhere, (match) => (match === "" ? "" : "[redacted]"));
  }, text);
}

/** `missing`: characters that the text lacks already. */
function fitted(text: string, maxBytes: number, missing: number): string {
  if (missing === 0 && bytesOf(text) <= maxBytes) return text;
  const note = (characters: number): string => `… and ${missing + characters} more characters`;
  let left = maxBytes - bytesOf(note(text.length));
  let end = 0;
  for (const character of text) {
    left -= bytesOf(character);
    if (left < 0) break;
    end += character.length;
  }
  return text.slice(0, end) + note(text.length - end);
}

/** What a text takes in a record. */
function bytesOf(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}
