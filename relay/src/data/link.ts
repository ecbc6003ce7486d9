import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  applyWindows,
  CmdopError,
  LANE_WINDOWS,
  type LaneName,
  MAX_LINK_HEADER_BYTES,
  type Watchdog,
  watchdog,
} from "@cmdop/proto";
import { LINK_SESSION_MEMORY_MB, LINK_STREAMS, MAX_CALLS_PER_LINK, type Times } from "./limits.ts";
import type { Upstream, UpstreamCall } from "./upstream.ts";

/** Which machine is at the other end, proven and welcomed. */
export interface Admission {
  readonly machineId: string;
  readonly machineName: string;
  readonly lane: LaneName;
  /** Names this start of the agent. */
  readonly bootId: string;
  readonly agentVersion: string;
}

/** Hello and Welcome on a fresh link. Throws when the agent is refused; it has been told then. */
export type Greet = (session: ClientHttp2Session, tls: TLSSocket, address: string) => Promise<Admission>;

/** Something that the relay says to an agent beside the calls. */
export type Tell = (session: ClientHttp2Session, admission: Admission) => Promise<void>;

/** Where a link is. */
export type LinkState =
  | { readonly kind: "greeting" }
  | { readonly kind: "up"; readonly admission: Admission }
  | { readonly kind: "draining"; readonly admission: Admission; readonly reason: string }
  | { readonly kind: "closed"; readonly reason: string };

/** What a link needs. */
export interface LinkOptions {
  /** The connection that the agent dialled, its handshake done, and the raw one below it. */
  readonly tls: TLSSocket;
  readonly raw: Socket;
  /** Who dialled. */
  readonly address: string;
  readonly times: Times;
  /** Called at every change of state, with the state before. */
  readonly onState: (state: LinkState, before: LinkState) => void;
}

/** One lane's connection of an agent. The relay is the HTTP/2 client on it, the agent the server. */
export class Link implements Upstream {
  #state: LinkState = { kind: "greeting" };
  readonly #options: LinkOptions;
  readonly #session: ClientHttp2Session;
  readonly #calls = new Set<UpstreamCall>();
  readonly #watchdog: Watchdog;
  #drainTimer: NodeJS.Timeout | undefined;
  #callCount = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
    const { tls, raw, times } = options;
    this.#session = connect("http://agent", {
      createConnection: () => tls,
      // A large header block must fail its own call; over Node's default it would end the whole session.
      maxSendHeaderBlockLength: Number.MAX_SAFE_INTEGER,
      maxSessionMemory: LINK_SESSION_MEMORY_MB,
      peerMaxConcurrentStreams: LINK_STREAMS,
      settings: {
        enablePush: false,
        maxHeaderListSize: MAX_LINK_HEADER_BYTES,
        initialWindowSize: LANE_WINDOWS.interactive.toCaller.stream,
      },
    });
    // An error is always followed by close, or by the watchdog where Node never says close.
    this.#session.on("error", () => undefined);
    this.#session.once("close", () => this.close("the connection ended"));
    this.#session.once("goaway", () => this.drain("the agent is closing it"));
    tls.once("close", () => this.close("the connection ended"));
    this.#watchdog = watchdog({
      session: this.#session,
      socket: raw,
      tls,
      pingIntervalMs: times.linkPingIntervalMs,
      deadAfterMs: times.linkDeadAfterMs,
      onDead: () => this.close("the agent fell silent"),
    });
  }

  state(): LinkState {
    return this.#state;
  }

  get openCalls(): number {
    return this.#calls.size;
  }

  /** Asks who is there and brings the link up. Throws when the agent is refused or does not answer in time. */
  async greet(greet: Greet): Promise<Admission> {
    const { tls, address, times } = this.#options;
    const timer = setTimeout(() => this.close("the agent did not greet in time"), times.greetTimeoutMs);
    try {
      const admission = await greet(this.#session, tls, address);
      if (this.#state.kind !== "greeting") throw this.#offline();
      applyWindows(this.#session, LANE_WINDOWS[admission.lane].toCaller);
      this.#setState({ kind: "up", admission });
      return admission;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Says something to the agent of a link that is up. Throws MachineOffline when it is not, or what `tell` throws. */
  async tell(tell: Tell): Promise<void> {
    if (this.#state.kind !== "up") throw this.#offline();
    await tell(this.#session, this.#state.admission);
  }

  open(headers: OutgoingHttpHeaders, signal: AbortSignal): ClientHttp2Stream {
    if (this.#state.kind !== "up" || this.#session.closed || this.#session.destroyed) throw this.#offline();
    this.#callCount += 1;
    if (this.#callCount >= MAX_CALLS_PER_LINK) this.drain("its stream ids are used up");
    return this.#session.request(headers, { signal, endStream: false });
  }

  carry(call: UpstreamCall): () => void {
    this.#calls.add(call);
    return () => {
      this.#calls.delete(call);
      if (this.#state.kind === "draining" && this.#calls.size === 0) this.close(this.#state.reason);
    };
  }

  lost(): CmdopError | undefined {
    // Streams end before their session does: a dead connection shows first in its sockets.
    const { tls, raw } = this.#options;
    const dead = this.#state.kind === "closed" || this.#session.destroyed || tls.destroyed || raw.destroyed;
    return dead ? linkLost("the connection ended") : undefined;
  }

  /** Another link of this agent has broken: this one shows that it has not, or ends. */
  suspect(): void {
    if (this.#state.kind === "up") this.#watchdog.suspect();
  }

  /** Takes no more calls and lets the running ones finish, for a bounded time. */
  drain(reason: string): void {
    if (this.#state.kind === "greeting") this.close(reason);
    if (this.#state.kind !== "up") return;
    this.#setState({ kind: "draining", admission: this.#state.admission, reason });
    if (this.#calls.size === 0) this.close(reason);
    else this.#drainTimer = setTimeout(() => this.close(reason), this.#options.times.linkDrainMs);
  }

  /** Ends the link at once. Its calls are told, whether or not Node ever closes their streams. */
  close(reason: string): void {
    if (this.#state.kind === "closed") return;
    clearTimeout(this.#drainTimer);
    this.#watchdog.stop();
    this.#setState({ kind: "closed", reason });
    for (const call of [...this.#calls]) call.fail(linkLost(reason));
    this.#calls.clear();
    this.#session.destroy();
    this.#options.tls.destroy();
    this.#options.raw.destroy();
  }

  #setState(state: LinkState): void {
    const before = this.#state;
    this.#state = state;
    this.#options.onState(state, before);
  }

  #offline(): CmdopError {
    return new CmdopError("MachineOffline", "The machine's link has just ended.");
  }
}

function linkLost(reason: string): CmdopError {
  return new CmdopError("LinkLost", `The machine's link to the relay broke during the call: ${reason}.`);
}
