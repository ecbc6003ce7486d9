import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  DrainingDuplex,
  fitWindow,
  LANE_WINDOWS,
  type LaneName,
  type Watchdog,
  watchdog,
} from "@cmdop/proto";

/** A ping on a silent connection, and how long its answer may take, in milliseconds: a dead peer is noticed within 20 s. */
const PING_INTERVAL_MS = 10_000;
const DEAD_AFTER_MS = 20_000;

/** Streams at once before the peer has said how many it takes; the relay counts calls, and answers what is too much. */
const MAX_STREAMS = 1_000_000;

/** HTTP/2's own bookkeeping, in MB: Node's default of 10 ends a connection with 10,000 calls. */
const SESSION_MEMORY_MB = 1_024;

/** What calls that are being canceled have to say so, in milliseconds, when a connection is closed. */
const CLOSE_WITHIN_MS = 1_000;

/** One HTTP/2 connection to a relay or agent. It does not keep the program running: whoever waits for an answer does. */
export class Connection {
  readonly #socket: Socket | TLSSocket;
  readonly #session: ClientHttp2Session;
  readonly #watchdog: Watchdog;

  /** `onOver` is called when it takes no more calls, `onClosed` when the last one is over too; `onOver` perhaps twice. */
  constructor(
    socket: Socket | TLSSocket,
    lane: LaneName,
    { onOver, onClosed }: { readonly onOver: () => void; readonly onClosed: () => void },
  ) {
    this.#socket = socket;
    // Hears at once of a connection that a write found reset; content is too much for it.
    const duplex = lane === "interactive" ? new DrainingDuplex(socket) : socket;
    const windows = LANE_WINDOWS[lane].toCaller;
    const session = connect("http://cmdop", {
      createConnection: () => duplex,
      peerMaxConcurrentStreams: MAX_STREAMS,
      maxSessionMemory: SESSION_MEMORY_MB,
      maxSendHeaderBlockLength: Number.MAX_SAFE_INTEGER,
      settings: { enablePush: false, initialWindowSize: windows.stream },
    });
    this.#session = session;
    session.once("connect", () => {
      session.setLocalWindowSize(windows.session);
      fitWindow(session, windows);
    });
    // An error is followed by close, or by the watchdog where Node never says close.
    session.on("error", () => undefined);
    session.once("goaway", onOver);
    const closed = (): void => {
      session.off("goaway", onOver);
      session.off("close", closed);
      this.#watchdog.stop();
      socket.destroy();
      onOver();
      onClosed();
    };
    session.once("close", closed);
    this.#watchdog = watchdog({
      session,
      socket,
      pingIntervalMs: PING_INTERVAL_MS,
      deadAfterMs: DEAD_AFTER_MS,
      onDead: closed,
    });
    socket.unref();
  }

  get isUsable(): boolean {
    return !this.#session.closed && !this.#session.destroyed && !this.#socket.destroyed;
  }

  /** The stream of a call; undefined where it takes no more. */
  open(headers: OutgoingHttpHeaders): ClientHttp2Stream | undefined {
    if (!this.isUsable) return undefined;
    return this.#session.request(headers, { endStream: false });
  }

  /** Takes no more calls, and ends with the last one, within CLOSE_WITHIN_MS. */
  close(): void {
    if (!this.#session.closed) this.#session.close();
    const timer = setTimeout(() => {
      this.#session.destroy();
      this.#socket.destroy();
    }, CLOSE_WITHIN_MS);
    timer.unref();
  }
}
