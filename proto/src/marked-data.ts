import { randomBytes } from "node:crypto";

/** Size of a mark, in bytes: eight characters, which no text written before can guess. */
const MARK_BYTES = 6;

/** A marked piece; its second group is the content. */
const MARKED = /<data-([\w-]{8})>\n([\s\S]*?)\n<\/data-\1>/g;

/**
 * Returns a function that marks text from a machine as data for a model, as opposed to instructions. The mark
 * is made after the data exists, so nothing in the data can imitate its end. All pieces of one answer share a
 * mark.
 */
export function dataMarker(): (text: string) => string {
  const mark = randomBytes(MARK_BYTES).toString("base64url");
  return (text) => `<data-${mark}>\n${text}\n</data-${mark}>`;
}

/** Marks one piece of data. */
export function asData(text: string): string {
  return dataMarker()(text);
}

/** Removes the marks, which mean nothing to people. */
export function withoutMarks(text: string): string {
  return text.replaceAll(MARKED, (_all, _mark, data: string) => data);
}
