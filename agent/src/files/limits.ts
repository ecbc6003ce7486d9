import { MAX_UNARY_CONTENT_BYTES } from "@cmdop/proto";

/** The bounds of the files core. Those that both ends must agree on are in @cmdop/proto. */

/** Entries of a page when the caller names no number. */
export const DEFAULT_PAGE_ENTRIES = 1_000;

/** Entries of a page at most: what a list holds in memory, however large the directory is. */
export const MAX_PAGE_ENTRIES = 10_000;

/** Size of a page: names may be long, and a page has to fit into one message. */
export const MAX_PAGE_BYTES = MAX_UNARY_CONTENT_BYTES;

/** What the numbers of one entry cost on the wire beside its strings, rounded up. */
export const ENTRY_OVERHEAD_BYTES = 80;

/** Entries described at once: enough to keep Node's four file threads busy, and no more. */
export const DESCRIPTIONS_IN_FLIGHT = 16;

/** Names that one read of a directory fetches. */
export const DIRECTORY_BATCH_NAMES = 256;

/** Names in a path: each costs a look at the disk or more. Nobody's real paths come near. */
export const MAX_PATH_PARTS = 256;

/** Depth of a tree that delete and copy work on: each level holds a descriptor or two open. */
export const MAX_TREE_DEPTH = 256;

/** Rounds of emptying a directory that somebody else keeps filling. */
export const MAX_EMPTYING_ROUNDS = 3;

/** Read at once where a file does not say its size (as in /proc). */
export const UNSIZED_READ_BYTES = 64 * 1024;

/** A file that is edited, before and after: it is held whole, twice over. Sources and settings are far smaller. */
export const MAX_EDIT_BYTES = 16 * 1024 * 1024;

/** Edits under way at once; the others wait. */
export const MAX_EDITS_AT_ONCE = 4;
