/** The bounds that both ends of a call must agree on. Bounds of one side alone live on that side. */

const KiB = 1024;
const MiB = 1024 * KiB;

/** One message on the wire: the largest whole-file content and room for the fields around it. */
export const MAX_MESSAGE_BYTES = 4 * MiB + 64 * KiB;

/** Content of a unary file read or write; beyond it the streams are used. */
export const MAX_UNARY_CONTENT_BYTES = 4 * MiB;

/** Content bytes in one message of a file stream: large messages save CPU, see docs/decisions/0004-grpc-and-adapter.md. */
export const FILE_CHUNK_BYTES = 512 * KiB;

/** Payload bytes in one output event of a job. */
export const OUTPUT_CHUNK_BYTES = 64 * KiB;

/** Standard input that rides in the Start request itself. */
export const MAX_INLINE_STDIN_BYTES = 1 * MiB;

/** Payload bytes in one Input message. */
export const INPUT_CHUNK_BYTES = 64 * KiB;

/** Life of a call token, and the most that a verifier accepts. */
export const CALL_TOKEN_LIFETIME_S = 60;

/** How far a caller's clock may be from the verifier's, for call tokens only. */
export const CLOCK_TOLERANCE_S = 120;

/** A compact JWS of any kind that travels in a header: header, claims and signature. */
export const MAX_STATEMENT_BYTES = 16 * KiB;

/** A roster, which travels in messages only: 10,000 revoked keys and 64 relays must fit. */
export const MAX_ROSTER_BYTES = 1 * MiB;

/** Status message and all cmdop trailers of one failed call: more would endanger the header limit of a link. */
export const MAX_STATUS_MESSAGE_BYTES = 2 * KiB;

/** Header block that the relay's front door accepts from a caller. */
export const MAX_FRONT_HEADER_BYTES = 16 * KiB;

/** Header block on a link: the caller's, plus the grant that the relay adds and the names of what it adds. */
export const MAX_LINK_HEADER_BYTES = MAX_FRONT_HEADER_BYTES + MAX_STATEMENT_BYTES + 1 * KiB;

/** A path on the machine, in bytes of UTF-8: Linux's PATH_MAX. */
export const MAX_PATH_BYTES = 4096;

/** Arguments and environment of one command, together: well under Linux's ARG_MAX. */
export const MAX_COMMAND_BYTES = 1 * MiB;

/** Fields of one request, with the items of its lists and maps: thousands of arguments. Each costs far more than its bytes to decode, on the thread that serves everybody. */
export const MAX_REQUEST_FIELDS = 16_384;

/** Text of one request, content apart: the largest command or roster, and room for the fields around it. */
export const MAX_REQUEST_TEXT_BYTES = MAX_COMMAND_BYTES + 64 * KiB;

/** What is asked of an agent: more than that belongs into a file, which the agent can read. */
export const MAX_PROMPT_BYTES = 256 * KiB;

/** The JSON Schema of a run's output, as text: it goes to the model with every call. */
export const MAX_OUTPUT_SCHEMA_BYTES = 64 * KiB;

/** What callers of an agent that ends have to take the last words of their calls and leave, in milliseconds; then they are thrown out. */
export const LEAVE_WITHIN_MS = 500;
