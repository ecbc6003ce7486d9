import { randomBytes } from "node:crypto";

/** Of a mark, in bytes: eight characters, which nothing that was written before can guess. */
const MARK_BYTES = 6;

/** A piece that was marked; what it holds is its second group. */
const MARKED = /<data-([\w-]{8})>\n([\s\S]*?)\n<\/data-\1>/g;

/**
 * Marks what comes from a machine for a model: it is data, not words to it. The
 * mark is made when the data is there already, so nothing in it can pretend to
 * be its end. One answer has one mark for all its pieces.
 */
export function dataMarker(): (text: string) => string {
  const mark = randomBytes(MARK_BYTES).toString("base64url");
  return (text) => `<data-${mark}>\n${text}\n</data-${mark}>`;
}

/** One piece of data, marked. */
export function asData(text: string): string {
  return dataMarker()(text);
}

/** Text without the marks, for people: they tell them nothing. */
export function withoutMarks(text: string): string {
  return text.replaceAll(MARKED, (_all, _mark, data: string) => data);
}
