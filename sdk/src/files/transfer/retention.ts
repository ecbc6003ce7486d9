/** How long the machine keeps what has arrived of an upload that nobody will resume later, in seconds: a transfer goes on for up to 15 minutes without progress. */
export const KEEP_S = 20 * 60;

/** The same in words; the machine looks for such uploads every minute. */
export const KEPT_TEXT = "within 21 minutes (of its next start, where it is down)";

/** How long the machine is asked to remove what has arrived, in milliseconds: somebody waits for it who wants to leave. */
export const DISCARD_WAIT_MS = 3_000;
