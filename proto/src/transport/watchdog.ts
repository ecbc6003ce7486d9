import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";

/** Pause between two pings on a link, in milliseconds. */
export const PING_INTERVAL_MS = 10_000;

/** Silence after which the peer of a link counts as dead, in milliseconds. */
export const DEAD_AFTER_MS = 15_000;

/** What watchdog needs to know. */
export interface WatchdogOptions {
  readonly session: Http2Session;
  /** The raw connection below the session: its inbound bytes are the sign of life, and it is what gets destroyed. */
  readonly socket: Socket;
  /** Called once, after both have been destroyed: the peer is taken for dead, or the socket was gone already. */
  readonly onDead: () => void;
  readonly pingIntervalMs?: number;
  readonly deadAfterMs?: number;
}

/**
 * Watches one end of a link. Neither `close` of the session nor ping answers can
 * be relied on: a write that meets a reset connection first silences all events,
 * and pings queue behind bulk data. So any inbound byte counts as life, and
 * without one the session and its raw socket are destroyed. Returns its stop.
 */
export function watchdog(options: WatchdogOptions): () => void {
  const { session, socket, onDead } = options;
  const pingIntervalMs = options.pingIntervalMs ?? PING_INTERVAL_MS;
  const deadAfterMs = options.deadAfterMs ?? DEAD_AFTER_MS;
  const tickMs = Math.min(pingIntervalMs, deadAfterMs) / 4;
  let seenBytes = socket.bytesRead;
  // Counted in ticks, not read off a clock: after a stall of our own, what the peer sent meanwhile is still unread.
  let silentMs = 0;
  let sincePingMs = 0;
  const timer = setInterval(() => {
    silentMs += tickMs;
    sincePingMs += tickMs;
    if (socket.bytesRead !== seenBytes) {
      seenBytes = socket.bytesRead;
      silentMs = 0;
    }
    if (silentMs >= deadAfterMs || socket.destroyed) {
      stop();
      session.destroy();
      socket.destroy();
      onDead();
    } else if (sincePingMs >= pingIntervalMs && !session.destroyed) {
      sincePingMs = 0;
      // The answer matters only as inbound bytes; a ping that fails shows as silence.
      session.ping(() => undefined);
    }
  }, tickMs);
  timer.unref();
  const stop = (): void => clearInterval(timer);
  return stop;
}
