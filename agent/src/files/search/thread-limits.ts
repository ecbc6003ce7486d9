/** The bounds of the thread that matches: apart from the others, so that it need not load what they need. */

/** Of a line as a match shows it, in UTF-16 units. */
export const MAX_SHOWN_LINE_UNITS = 1_024;

/** A line that is matched whole; of longer ones only the beginning is. */
export const MAX_LINE_BYTES = 1024 * 1024;

/** Matching lines of a file that one answer of the matching thread holds, with all their context: 100 × 41 KiB. */
export const MAX_MATCHES_IN_ANSWER = 100;
