/** The bounds of the MCP door. What a model reads costs it context: the sizes are chosen for that reader. */

const KiB = 1024;
const MiB = 1024 * KiB;

/** How long terminal_execute and agent_run wait for the end: clients cut calls at 60 s, and the answer still has to travel. */
export const WAIT_MS = 45_000;

/** How long an answer waits for its machine's name: with WAIT_MS still below the clients' 60 s. */
export const MACHINE_NAME_WAIT_MS = 5_000;

/** The bounds of a run that the machine keeps: named here so that a model learns them before it asks. */
export const MAX_RUN_STEPS = 500;
export const MAX_RUN_TIMEOUT_MS = 24 * 60 * 60_000;

/** Characters of a run's text in an answer: about 8,000 tokens, half from its beginning, half from its end. */
export const MAX_RUN_TEXT_CHARS = 32_000;

/** Characters of a run's typed output in the text channel; the structured one has it whole. */
export const MAX_RUN_OUTPUT_CHARS = 256_000;

/** Characters of what one use of a tool that waits for its caller's word would do: what a person reads before a yes. */
export const MAX_QUESTION_CHARS = 8_000;

/** Characters of the reason of a no: what machines take. */
export const MAX_REASON_CHARS = 500;

/** Questions to a client's person in one call: clients end a call that asks more often than ten times. */
export const MAX_ASKS_OF_A_CALL = 8;

/** Questions that are with a client at a time; the oldest is forgotten, and asked again by the next wait. */
export const MAX_OPEN_ASKS = 64;

/** Between two progress notifications: often enough to show life, rare enough to cost nothing. */
export const PROGRESS_INTERVAL_MS = 5_000;

/** Characters of a command's last line in a progress notification: one line on a screen. */
export const MAX_PROGRESS_LINE_CHARS = 200;

/**
 * Characters of each of stdout and stderr in an answer, as a terminal shows them:
 * both together about 10,000 tokens, where clients begin to warn. Three quarters
 * are for the end, since that is where commands say what went wrong.
 */
export const MAX_OUTPUT_CHARS = 16 * KiB;

/** Bytes that files_read returns where no length is asked for: about 10,000 tokens. */
export const DEFAULT_READ_BYTES = 32 * KiB;

/** Bytes that files_read returns at most: in both channels and escaped they stay far below the 10 MB of a message. */
export const MAX_READ_BYTES = 256 * KiB;

/** How far into a file files_read looks for a line; beyond it byte offsets are the way. */
export const MAX_LINE_SCAN_BYTES = 64 * MiB;

/** Bytes of one step of that search: a small part of a unary read. */
export const LINE_SCAN_CHUNK_BYTES = 1 * MiB;

/** Content that files_write takes: one unary write, and less than a message of 10 MB in base64. */
export const MAX_WRITE_BYTES = 4 * MiB;

/** Entries of a page of files_list where no size is asked for: about 5,000 tokens. */
export const DEFAULT_PAGE_ENTRIES = 200;

/** Entries of a page of files_list at most. */
export const MAX_PAGE_ENTRIES = 1_000;

/** Levels of a tree: as deep as machines go. */
export const MAX_TREE_DEPTH = 256;

/** Results of files_search where no limit is asked for, and at most. */
export const DEFAULT_SEARCH_RESULTS = 100;
export const MAX_SEARCH_RESULTS = 1_000;

/** Characters of paths and lines in an answer of files_search: about 8,000 tokens. */
export const MAX_SEARCH_CHARS = 24_000;

/** Characters of one line in it: of a minified file's single line the match and what is around it. */
export const MAX_SEARCH_LINE_CHARS = 400;

/** Lines shown around a match: as many as machines give. */
export const MAX_CONTEXT_LINES = 20;

/** Files that a search passed over and that are named; binary ones, of which there may be any number, are only counted. */
export const MAX_PASSED_OVER = 10;

/** Machines that machines_list names: about 10,000 tokens. */
export const MAX_LISTED_MACHINES = 200;

/** Tool calls of one server at a time: a client that never waits must not hold the machine's streams. */
export const MAX_CALLS_IN_FLIGHT = 64;

/** Commands that wait for a person after their call was answered. */
export const MAX_WAITING_JOBS = 64;

/** Characters of an error's text: it may quote what the client sent. */
export const MAX_ERROR_CHARS = 4_000;

/** After the client has gone: time for a Cancel that is under way to leave. Servers should be gone within a second. */
export const SHUTDOWN_GRACE_MS = 800;

/** Characters of a failure in the server's log: it may quote what the client sent. */
export const MAX_REPORT_CHARS = 1_000;
