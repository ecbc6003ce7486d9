import type { Http2Session } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { awaitsLostWrite } from "./lost-write.ts";

/** Pause between two pings on a link, in milliseconds. */
export const PING_INTERVAL_MS = 8_000;

/** Silence after which the peer of a link counts as dead, in milliseconds; twice that, with a tick, is still within 30 s. */
export const DEAD_AFTER_MS = 13_000;

/** How much longer the silence may be while much is sent: on a slow line, pings and their answers queue behind it. */
const PATIENCE_WHILE_SENDING = 2;

/** What a peer has to show that it lives, in milliseconds, when there is reason to doubt it. */
const PROOF_MS = 3_000;

/** Pause between two looks whether a write was lost, in milliseconds: one that is lost at two of them is lost for good. */
const LOST_WRITE_CHECK_MS = 250;

/** What leaves here within a tick to count as much: less may be our own pings. */
const MUCH_SENT_BYTES = 16 * 1024;

/** What watchdog needs to know. */
export interface WatchdogOptions {
  readonly session: Http2Session;
  /** The raw connection below the session: its bytes are the sign of life, and it is what gets destroyed. */
  readonly socket: Socket;
  /** TLS between the two, where `socket` is not that itself. */
  readonly tls?: TLSSocket;
  /** Called once, after both have been destroyed: the peer is taken for dead, or the socket was gone already. */
  readonly onDead: () => void;
  readonly pingIntervalMs?: number;
  readonly deadAfterMs?: number;
  readonly proofMs?: number;
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
 * and pings queue behind content. So any byte that comes counts as life, and
 * without one the session and its raw socket are destroyed. What goes is no
 * proof: a connection that is gone still takes it. A write that Node has lost is
 * found sooner.
 */
export function watchdog(options: WatchdogOptions): Watchdog {
  const { session, socket, tls = socket, onDead } = options;
  const pingIntervalMs = options.pingIntervalMs ?? PING_INTERVAL_MS;
  const deadAfterMs = options.deadAfterMs ?? DEAD_AFTER_MS;
  const proofMs = options.proofMs ?? PROOF_MS;
  const tickMs = Math.min(pingIntervalMs, deadAfterMs) / 4;
  let seenBytes = socket.bytesRead;
  let sentBytes = socket.bytesWritten;
  // Counted in ticks, not read off a clock: after a stall of our own, what the peer sent meanwhile is still unread.
  let silentMs = 0;
  let sincePingMs = 0;
  let judging: NodeJS.Immediate | undefined;
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
  /** After a stall of our own, what the peer sent meanwhile lies unread: the loop looks at it before the judgement. */
  const endUnlessHeard = (readBytes: number): void => {
    judging = setImmediate(() => {
      if (socket.bytesRead === readBytes || socket.destroyed) end();
    });
  };
  const tick = (passedMs: number): void => {
    silentMs += passedMs;
    sincePingMs += passedMs;
    if (socket.bytesRead !== seenBytes) silentMs = 0;
    seenBytes = socket.bytesRead;
    const isSending = socket.bytesWritten - sentBytes >= MUCH_SENT_BYTES;
    sentBytes = socket.bytesWritten;
    const patienceMs = deadAfterMs * (isSending ? PATIENCE_WHILE_SENDING : 1);
    if (silentMs >= patienceMs || socket.destroyed) endUnlessHeard(seenBytes);
    else if (sincePingMs >= pingIntervalMs) ping();
  };
  const timer = setInterval(() => tick(tickMs), tickMs);
  timer.unref();
  let lostAtBytes: number | undefined;
  const lostWriteTimer = setInterval(() => {
    const isLost = awaitsLostWrite(tls);
    if (isLost && lostAtBytes === tls.bytesWritten) end();
    else lostAtBytes = isLost ? tls.bytesWritten : undefined;
  }, LOST_WRITE_CHECK_MS);
  lostWriteTimer.unref();
  let proof: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearInterval(timer);
    clearInterval(lostWriteTimer);
    clearTimeout(proof);
    clearImmediate(judging);
  };
  return {
    suspect() {
      const before = { read: socket.bytesRead, written: socket.bytesWritten };
      ping();
      const judge = (): void => {
        proof = undefined;
        if (socket.bytesRead === before.read || socket.destroyed) endUnlessHeard(before.read);
      };
      // Behind much that is on its way, a proof takes longer.
      const look = (): void => {
        const isSending = socket.bytesWritten - before.written >= MUCH_SENT_BYTES;
        if (!isSending || socket.bytesRead !== before.read) {
          judge();
          return;
        }
        proof = setTimeout(judge, proofMs * PATIENCE_WHILE_SENDING);
        proof.unref();
      };
      proof ??= setTimeout(look, proofMs);
      proof.unref();
    },
    stop,
  };
}
