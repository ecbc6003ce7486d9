/** Bounds on which both ends of a call must agree. Bounds of one side alone are defined on that side. */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Bytes of one message on the wire: the largest whole-file content, with room for the fields around it. */
export const MAX_MESSAGE_BYTES = 4 * MiB + 64 * KiB;

/** Content bytes of a unary file read or write; streams carry more. */
export const MAX_UNARY_CONTENT_BYTES = 4 * MiB;

/**
 * Content bytes of one message of a file stream: large messages save CPU, see
 * docs/decisions/0004-grpc-and-adapter.md.
 */
export const FILE_CHUNK_BYTES = 512 * KiB;

/**
 * Default time that the SDK follows a job across a lost connection, in milliseconds. A waiting program is to
 * outlast a machine's reboot or a laptop's change of network. Time in which the caller's computer sleeps does
 * not count. A machine remembers ended jobs for longer, so that a late retry never runs one again.
 */
export const RECONNECT_WINDOW_MS = 15 * 60_000;

/** Payload bytes of one output event of a job. */
export const OUTPUT_CHUNK_BYTES = 64 * KiB;

/** Bytes of standard input within the Start request. */
export const MAX_INLINE_STDIN_BYTES = 1 * MiB;

/** Payload bytes of one Input message. */
export const INPUT_CHUNK_BYTES = 64 * KiB;

/** Lifetime of a call token, in seconds, and the longest that a verifier accepts. */
export const CALL_TOKEN_LIFETIME_S = 60;

/** Largest difference between a caller's clock and the verifier's, in seconds, for call tokens only. */
export const CLOCK_TOLERANCE_S = 120;

/** Bytes of a compact JWS of any kind in a header: header, claims and signature. */
export const MAX_STATEMENT_BYTES = 16 * KiB;

/** Bytes of a roster, which is sent in messages only: 10,000 revoked keys and 64 relays must fit. */
export const MAX_ROSTER_BYTES = 1 * MiB;

/**
 * Bytes of the status message of a failed call, and of its next step, each before percent-encoding: more
 * would endanger the header limit of a link.
 */
export const MAX_STATUS_MESSAGE_BYTES = 2 * KiB;

/** Bytes of a header block that the relay's front door accepts from a caller. */
export const MAX_FRONT_HEADER_BYTES = 16 * KiB;

/**
 * Bytes of a header block on a link: the caller's headers, the grant that the relay adds, and room for its
 * other headers.
 */
export const MAX_LINK_HEADER_BYTES = MAX_FRONT_HEADER_BYTES + MAX_STATEMENT_BYTES + 1 * KiB;

/** Bytes of a path on the machine, as UTF-8: Linux's PATH_MAX. */
export const MAX_PATH_BYTES = 4096;

/** Bytes of arguments and environment of one command together: well below Linux's ARG_MAX. */
export const MAX_COMMAND_BYTES = 1 * MiB;

/**
 * Fields of one request, including items of lists and maps: thousands of arguments. Decoding a field costs
 * far more than its bytes, on the thread that serves everybody.
 */
export const MAX_REQUEST_FIELDS = 16_384;

/**
 * Bytes of text in one request, without content: the largest command or roster, with room for the fields
 * around it.
 */
export const MAX_REQUEST_TEXT_BYTES = MAX_COMMAND_BYTES + 64 * KiB;

/** Bytes of a prompt: more belongs into a file that the agent can read. */
export const MAX_PROMPT_BYTES = 256 * KiB;

/** Bytes of the JSON Schema of a run's output: it is sent to the model with every call. */
export const MAX_OUTPUT_SCHEMA_BYTES = 64 * KiB;

/**
 * Time for callers of an agent that shuts down to receive the end of their calls and leave, in milliseconds;
 * then they are disconnected.
 */
export const LEAVE_WITHIN_MS = 500;
