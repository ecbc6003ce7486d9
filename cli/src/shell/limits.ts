/** How long to go on over a lost link, in milliseconds: a day. A person sits in front and can leave at any time. */
export const SHELL_RECONNECT_WINDOW_MS = 24 * 60 * 60 * 1000;
