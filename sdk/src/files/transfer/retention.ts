/**
 * Time that the machine keeps an unfinished upload that nobody will resume later, in seconds. It is longer
 * than the 15 minutes that a transfer may go on without progress.
 */
export const KEEP_S = 20 * 60;

/** The same in words; the machine looks for such uploads every minute. */
export const KEPT_TEXT = "within 21 minutes (of its next start, where it is down)";

/**
 * Longest wait for the machine to remove an unfinished upload, in milliseconds: the user is waiting to leave.
 */
export const DISCARD_WAIT_MS = 3_000;
