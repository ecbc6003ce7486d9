import { DEAD_AFTER_MS, PING_INTERVAL_MS } from "@cmdop/proto";

/** The bounds of the relay's data side, each with its reason. Bounds that both ends share are in @cmdop/proto. */

const KiB = 1024;
const MiB = 1024 * KiB;

/** TCP connections in all: some 75 KiB each, so 1.5 GiB at the very most. */
export const MAX_CONNECTIONS = 20_000;

/**
 * Connections whose handshake is not done, in all; and as many whose handshake is
 * done, but that have shown no credential yet. Beyond it the oldest of its kind
 * goes: who means it, is done in milliseconds.
 */
export const MAX_STRANGERS = 512;

/** The same from one address (one /64 of IPv6): a single host can't crowd out the others. */
export const MAX_STRANGERS_PER_ADDRESS = 128;

/** Sessions of one key: every process of a caller needs up to three. */
export const MAX_SESSIONS_PER_KEY = 1_024;

/** Open calls of one key. A call costs the relay about 25 KiB without its content. */
export const MAX_CALLS_PER_KEY = 2_000;

/** Open calls of one key to the relay's own services, which keep each request in the relay's memory until they have it whole. */
export const MAX_SERVICE_CALLS_PER_KEY = 32;

/** Open calls in all: 250 MiB without their content. */
export const MAX_CALLS = 10_000;

/** Content that may wait in the relay for a slow reader, and requests that lack their end, of one key's calls: 5 full streams of content. */
export const MAX_HELD_BYTES_PER_KEY = 128 * MiB;

/** The same of all keys together: the named memory budget. */
export const MAX_HELD_BYTES = 512 * MiB;

/** Pause between two looks at what is held, in milliseconds: a fast network brings some 50 MiB meanwhile. */
export const HELD_SAMPLE_INTERVAL_MS = 250;

/** Cancels of one key that are passed on at once, over all its sessions; further calls are refused until it refills. */
export const CANCEL_BURST = 4_000;

/** Cancels of one key a second in the long run. */
export const CANCELS_PER_SECOND = 200;

/** Pause between two looks whose cancels can be forgotten, in milliseconds: some 100 bytes each. */
export const FORGET_CANCELS_INTERVAL_MS = 10_000;

/** Stream resets that a caller's session may send at once, and a second: Node ends the session beyond (rapid reset). */
export const FRONT_RESET_BURST = 2_000;
export const FRONT_RESETS_PER_SECOND = 100;

/** Refused calls before a session's first good one: a caller with a wrong key does not try more often. */
export const MAX_REFUSALS_OF_STRANGER = 100;

/** HTTP/2's own bookkeeping of a caller's session, in MB: Node's default of 10 ends a session with 10,000 streams. */
export const FRONT_SESSION_MEMORY_MB = 64;

/** The same of a link, which carries the streams of all callers. What it holds is bounded by the calls. */
export const LINK_SESSION_MEMORY_MB = 1_024;

/** Streams that a link may have open before the agent's settings arrive; counting calls is what bounds them. */
export const LINK_STREAMS = MAX_CALLS;

/** Calls that one link carries before it is replaced: HTTP/2 has 2^30 stream ids for a client and no more. */
export const MAX_CALLS_PER_LINK = 2 ** 29;

/** Verified call tokens that are remembered: under 1 KiB each. */
export const MAX_CACHED_TOKENS = 10_000;

/** How long things may take, in milliseconds. */
export interface Times {
  /** From a connection to the end of its TLS handshake. */
  readonly handshakeTimeoutMs: number;
  /** From the handshake to the first call with a good token. */
  readonly firstCallTimeoutMs: number;
  /** From the handshake to an agent's welcome. */
  readonly greetTimeoutMs: number;
  /** A caller's session without a call is closed after this; its client opens another when it needs one. */
  readonly idleSessionMs: number;
  /** Pause between two looks whether the keys of open calls may still call: as long may a call outlive its key's grant. */
  readonly keyCheckIntervalMs: number;
  /** What a replaced link's calls have to finish. */
  readonly linkDrainMs: number;
  /** What calls have to finish when the relay shuts down. */
  readonly shutdownDrainMs: number;
  /** A link's watchdog: pause between pings, and silence that means death. */
  readonly linkPingIntervalMs: number;
  readonly linkDeadAfterMs: number;
  /** The same of a caller's session: it ends only that caller's calls, so there is no hurry. */
  readonly callerPingIntervalMs: number;
  readonly callerDeadAfterMs: number;
}

/** A good network needs tenths of a second for the first three; a dead link must be known within 30 s. */
export const DEFAULT_TIMES: Times = {
  handshakeTimeoutMs: 10_000,
  firstCallTimeoutMs: 15_000,
  greetTimeoutMs: 10_000,
  idleSessionMs: 10 * 60_000,
  keyCheckIntervalMs: 1_000,
  linkDrainMs: 30_000,
  shutdownDrainMs: 3_000,
  linkPingIntervalMs: PING_INTERVAL_MS,
  linkDeadAfterMs: DEAD_AFTER_MS,
  callerPingIntervalMs: 20_000,
  callerDeadAfterMs: 45_000,
};
