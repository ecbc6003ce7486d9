import type { ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { atLeastHalf, Backoff, pause, within } from "@cmdop/kit";
import { CmdopError, type LaneName, type RpcChannel } from "@cmdop/proto";
import { Connection } from "./connection.ts";
import { keepRunning } from "./keep-running.ts";
import type { ReconnectPauses } from "./reconnect.ts";

/** How long a call waits for a connection before it fails, in milliseconds; nothing has been sent by then. */
export const CONNECT_WAIT_MS = 2_000;

/** Dials the other end. Rejects with the CmdopError that says why it can't be reached. */
export type Dial = (signal: AbortSignal) => Promise<Socket | TLSSocket>;

/** Where a channel is. */
type ChannelState =
  | { readonly kind: "idle" }
  | { readonly kind: "dialling"; readonly attempt: Promise<void> }
  | { readonly kind: "connected"; readonly connection: Connection }
  | { readonly kind: "pausing"; readonly untilMs: number; readonly error: CmdopError }
  | { readonly kind: "closed" };

/** One lane to a relay or agent: a connection when there is a call for it, and another when that one ends. */
export class Channel implements RpcChannel {
  readonly #dial: Dial;
  readonly #lane: LaneName;
  readonly #pauses: Backoff;
  readonly #peer: string;
  readonly #closing = new AbortController();
  /** All that are not closed yet: one that takes no more calls still carries its last ones. */
  readonly #connections = new Set<Connection>();
  readonly hold = keepRunning;
  #state: ChannelState = { kind: "idle" };

  /** `peer`: what is dialled, as people know it. */
  constructor(dial: Dial, lane: LaneName, pauses: ReconnectPauses, peer: string) {
    this.#dial = dial;
    this.#peer = peer;
    this.#lane = lane;
    this.#pauses = new Backoff(pauses, atLeastHalf);
  }

  /** Resolves when there is a connection. Throws what the last attempt failed with, within CONNECT_WAIT_MS. */
  async ready(signal?: AbortSignal): Promise<void> {
    await this.#connected(signal);
  }

  async open(headers: OutgoingHttpHeaders, signal: AbortSignal): Promise<ClientHttp2Stream> {
    for (;;) {
      const connection = await this.#connected(signal);
      if (signal.aborted) throw canceled();
      // It may have ended since.
      const stream = connection.open(headers);
      if (stream !== undefined) return stream;
    }
  }

  /** Ends all connections; calls that are still open have a moment to say that they are canceled. */
  close(): void {
    this.#state = { kind: "closed" };
    this.#closing.abort();
    for (const connection of this.#connections) connection.close();
  }

  async #connected(signal?: AbortSignal): Promise<Connection> {
    const deadlineMs = performance.now() + CONNECT_WAIT_MS;
    for (;;) {
      const state = this.#state;
      if (state.kind === "closed") throw clientClosed();
      if (state.kind === "connected" && state.connection.isUsable) return state.connection;
      const leftMs = deadlineMs - performance.now();
      if (state.kind === "pausing") {
        const pauseMs = state.untilMs - performance.now();
        if (pauseMs >= leftMs) throw state.error;
        if (pauseMs > 0 && !(await pause(pauseMs, { signal }))) throw canceled();
        if (this.#state === state) this.#state = { kind: "idle" };
        continue;
      }
      const attempt = state.kind === "dialling" ? state.attempt : this.#attempt();
      if (!(await inTime(attempt, leftMs, signal))) throw tooSlow(this.#peer);
    }
  }

  /** Dials once; never rejects: the state says what came of it. */
  #attempt(): Promise<void> {
    const attempt = this.#dialOnce();
    if (this.#state.kind !== "closed") this.#state = { kind: "dialling", attempt };
    return attempt;
  }

  async #dialOnce(): Promise<void> {
    // So that the state is "dialling" before anything can come of it.
    await Promise.resolve();
    try {
      const socket = await this.#dial(this.#closing.signal);
      if (this.#state.kind === "closed") {
        socket.destroy();
        return;
      }
      this.#use(socket);
    } catch (thrown) {
      if (this.#state.kind === "closed") return;
      const untilMs = performance.now() + this.#pauses.nextMs();
      this.#state = { kind: "pausing", untilMs, error: CmdopError.from(thrown) };
    }
  }

  #use(socket: Socket | TLSSocket): void {
    const connection: Connection = new Connection(socket, this.#lane, {
      onOver: () => {
        if (this.#state.kind !== "connected" || this.#state.connection !== connection) return;
        this.#state = { kind: "idle" };
      },
      onClosed: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
    this.#pauses.reset();
    this.#state = { kind: "connected", connection };
  }
}

/** What every call of a closed client meets. */
export function clientClosed(): CmdopError {
  return new CmdopError("InvalidArgument", "This client has been closed.", {
    next: "Make a new CMDOPClient.",
  });
}

function canceled(): CmdopError {
  return new CmdopError("Canceled", "The call was canceled before it was sent.");
}

function tooSlow(peer: string): CmdopError {
  return new CmdopError(
    "RelayUnreachable",
    `There was no connection to ${peer} within ${CONNECT_WAIT_MS} ms.`,
  );
}

/** Whether something came to its end in time. Throws Canceled where the signal aborts first. */
async function inTime(
  work: Promise<void>,
  limitMs: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const isDone = await within(
    work.then(() => true),
    limitMs,
    { signal },
  );
  if (isDone === undefined && signal?.aborted) throw canceled();
  return isDone === true;
}
