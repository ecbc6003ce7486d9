/** The port of a relay unless one is given. */
export const DEFAULT_RELAY_PORT = 7443;
