import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";

/** Pause between two pings on a link, in milliseconds. */
export const PING_INTERVAL_MS = 10_000;

/** Silence after which the peer of a link counts as dead, in milliseconds. */
export const DEAD_AFTER_MS = 15_000;

/** What a peer has to show that it lives, in milliseconds, when there is reason to doubt it. */
const PROOF_MS = 3_000;

/** What must leave here within a tick to count as life: less may be our own pings, which the kernel takes for anybody. Its buffers are bounded, so of a dead peer this ends. */
const SENT_BYTES_OF_LIFE = 16 * 1024;

/** What watchdog needs to know. */
export interface WatchdogOptions {
  readonly session: Http2Session;
  /** The raw connection below the session: its bytes are the sign of life, and it is what gets destroyed. */
  readonly socket: Socket;
  /** Called once, after both have been destroyed: the peer is taken for dead, or the socket was gone already. */
  readonly onDead: () => void;
  readonly pingIntervalMs?: number;
  readonly deadAfterMs?: number;
}

/** Watches one end of a link. */
export interface Watchdog {
  /** There is reason to think that the peer is dead: it shows within PROOF_MS that it is not. */
  suspect(): void;
  stop(): void;
}

/**
 * Watches one end of a link. Neither `close` of the session nor ping answers can
 * be relied on: a write that meets a reset connection first silences all events,
 * and pings queue behind bulk data. So any byte that comes counts as life, and
 * much that goes, too: on a slow line an answer to what was sent can take
 * minutes. Without either, the session and its raw socket are destroyed.
 */
export function watchdog(options: WatchdogOptions): Watchdog {
  const { session, socket, onDead } = options;
  const pingIntervalMs = options.pingIntervalMs ?? PING_INTERVAL_MS;
  const deadAfterMs = options.deadAfterMs ?? DEAD_AFTER_MS;
  const tickMs = Math.min(pingIntervalMs, deadAfterMs) / 4;
  let seenBytes = socket.bytesRead;
  let sentBytes = socket.bytesWritten;
  // Counted in ticks, not read off a clock: after a stall of our own, what the peer sent meanwhile is still unread.
  let silentMs = 0;
  let sincePingMs = 0;
  const ping = (): void => {
    sincePingMs = 0;
    // The answer matters only as inbound bytes; a ping that fails shows as silence.
    if (!session.destroyed) session.ping(() => undefined);
  };
  const end = (): void => {
    stop();
    session.destroy();
    socket.destroy();
    onDead();
  };
  const tick = (passedMs: number): void => {
    silentMs += passedMs;
    sincePingMs += passedMs;
    const sent = socket.bytesWritten;
    if (socket.bytesRead !== seenBytes || sent - sentBytes >= SENT_BYTES_OF_LIFE) silentMs = 0;
    seenBytes = socket.bytesRead;
    sentBytes = sent;
    if (silentMs >= deadAfterMs || socket.destroyed) end();
    else if (sincePingMs >= pingIntervalMs) ping();
  };
  const timer = setInterval(() => tick(tickMs), tickMs);
  timer.unref();
  let proof: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearInterval(timer);
    clearTimeout(proof);
  };
  return {
    suspect() {
      const before = socket.bytesRead;
      ping();
      proof ??= setTimeout(() => {
        proof = undefined;
        if (socket.bytesRead === before || socket.destroyed) end();
      }, PROOF_MS);
      proof.unref();
    },
    stop,
  };
}
