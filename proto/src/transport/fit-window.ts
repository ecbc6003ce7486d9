import type { Http2Session } from "node:http2";
import type { Windows } from "./lanes.ts";

/**
 * What a stream's window is at least, in bytes: it outlasts the moments in which
 * one end does something else. With more, whoever is slower handles all of that
 * in one turn, and other calls wait for it.
 */
const LEAST_WINDOW_BYTES = 768 * 1024;

/** The round trip at which a large window is used up entirely, in milliseconds; a shorter one needs less in proportion. */
const LONGEST_ROUND_TRIP_MS = 100;

/** Pings whose shortest answer counts: the first ones can meet an end that is still busy with its start. */
const PINGS = 3;

/**
 * Fits a lane's stream window to the line: what is more than the line holds only
 * waits at its receiver, where it costs memory, and time too, since buffers that
 * wait outlive V8's cheap collections. To be called once per live session.
 */
export function fitWindow(session: Http2Session, { stream: most }: Windows): void {
  if (most <= LEAST_WINDOW_BYTES) return;
  let shortestMs = Number.POSITIVE_INFINITY;
  const ping = (left: number): void => {
    if (session.closed || session.destroyed) return;
    if (left === 0) {
      session.settings({ initialWindowSize: windowFor(shortestMs, most) });
      return;
    }
    // A ping that gets no answer leaves the window as it is: what that means is the watchdog's to say.
    session.ping((error, durationMs) => {
      if (error !== null) return;
      shortestMs = Math.min(shortestMs, durationMs);
      ping(left - 1);
    });
  };
  ping(PINGS);
}

/** Bytes that a stream may have under way on a line with this round trip. */
export function windowFor(roundTripMs: number, most: number): number {
  const needed = Math.ceil(most * (roundTripMs / LONGEST_ROUND_TRIP_MS));
  return Math.min(most, Math.max(LEAST_WINDOW_BYTES, needed));
}
