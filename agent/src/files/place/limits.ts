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

/** Edits under way at once, shared among keys; the others wait. */
export const MAX_EDITS_AT_ONCE = 4;

/** Globs of one call, and their size: what a hostile one can cost a path is their product. */
export const MAX_GLOBS = 16;
export const MAX_GLOB_BYTES = 256;

/** Patterns that the braces of all globs of one kind give. */
export const MAX_GLOB_ALTERNATIVES = 64;

/** Searches under way at once, shared among keys: each may keep a processor busy. */
export const MAX_SEARCHES_AT_ONCE = 8;

/** A regular expression: larger ones are not written by people. */
export const MAX_PATTERN_BYTES = 4 * 1024;

/** Matching lines of a search when the caller names no number, and at most. */
export const DEFAULT_SEARCH_RESULTS = 1_000;
export const MAX_SEARCH_RESULTS = 100_000;

/** A file that a search looks into when the caller names no size. */
export const DEFAULT_SEARCHED_FILE_BYTES = 64n * 1024n * 1024n;

/** Lines shown around a match. */
export const MAX_CONTEXT_LINES = 20;

/** How long an expression may work on one piece of a file (512 KiB, a line of 1 MiB): honest ones take milliseconds. */
export const MAX_MATCHING_MS = 5_000;

/** Heap of the thread that matches. */
export const MATCHING_HEAP_MIB = 64;

/** How long it is remembered what a crash left on a disk that has been away since. */
export const MAX_UNFINISHED_AGE_MS = 30 * 24 * 60 * 60 * 1_000;

/** How long what has arrived of an upload waits to be resumed. */
export const MAX_PARTIAL_AGE_MS = 24 * 60 * 60 * 1_000;

/** How often it is looked for uploads that nobody resumed: what a caller left without a word is to go soon. */
export const PARTIALS_SWEEP_MS = 60 * 1_000;

/** Things unfinished at once, beyond which an upload can't be resumed. */
export const MAX_UNFINISHED = 1_000;

/** Uploads of which something is remembered, 1 KiB each: what they came to, for a writer whose answer was lost and who asks within a minute or so; and the hash of what is kept, which spares reading it again. */
export const MAX_REMEMBERED_UPLOADS = 1_000;

/** Times that a file is read or copied which somebody else is writing to. */
export const MAX_READ_ATTEMPTS = 3;
