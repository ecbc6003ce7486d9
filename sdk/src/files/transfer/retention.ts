/** How long the machine keeps what has arrived of an upload that nobody will resume later, in seconds: a transfer gives up after a minute without progress, and on a line that breaks again and again its files wait for each other. */
export const KEEP_S = 10 * 60;

/** The same in words; the machine looks for such uploads every minute. */
export const KEPT_TEXT = "within 11 minutes (of its next start, where it is down)";

/** How long the machine is asked to remove what has arrived, in milliseconds: somebody waits for it who wants to leave. */
export const DISCARD_WAIT_MS = 3_000;
