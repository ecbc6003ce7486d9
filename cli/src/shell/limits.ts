/**
 * Longest time without a connection, in milliseconds: a day. A person is present and can leave at any time.
 */
export const SHELL_RECONNECT_WINDOW_MS = 24 * 60 * 60 * 1000;
