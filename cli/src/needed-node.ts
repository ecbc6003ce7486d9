/** The oldest Node that runs cmdop: it has SQLite, and reads TypeScript. */
export const NEEDED_NODE_MAJOR = 24;
