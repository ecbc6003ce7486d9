import { once } from "node:events";
import type { TLSSocket } from "node:tls";
import { Backoff, type Pauses, pause } from "@cmdop/kit";
import {
  type Admit,
  AGENT_ALPN,
  CmdopError,
  connectToRelay,
  DrainingDuplex,
  LANE_WINDOWS,
  type LaneName,
  LEAVE_WITHIN_MS,
  LINK_SERVICE_PREFIX,
  Link as LinkService,
  RpcServer,
  serve,
  type WatchCall,
  type Watchdog,
  watchdog,
} from "@cmdop/proto";
import type { Log } from "../log.ts";
import type { Caller } from "../policy/caller.ts";
import { createGreeting, type Greeter } from "./greeting.ts";

/** From a connection to the relay's welcome, in milliseconds. */
const GREETING_TIMEOUT_MS = 10_000;

/** A link that was up this long, in milliseconds, starts its backoff anew: a relay that welcomes and drops is not hammered. */
const STEADY_AFTER_MS = 5_000;

/** Between attempts: a machine is back a few seconds after its relay. */
export const DEFAULT_BACKOFF: Pauses = { firstPauseMs: 500, maxPauseMs: 5_000 };

/** Where a link is. */
export type LinkState =
  | { readonly kind: "connecting" }
  | { readonly kind: "greeting" }
  | { readonly kind: "up" }
  | { readonly kind: "waiting"; readonly waitMs: number; readonly error: CmdopError }
  | { readonly kind: "closed" };

/** What a link needs. */
export interface LinkOptions {
  readonly lane: LaneName;
  readonly greeter: Greeter;
  /** Adds the services that callers can reach; their way in is `admit`. */
  readonly addServices: (server: RpcServer, admit: Admit<Caller>) => void;
  readonly admit: Admit<Caller>;
  /** Told of each call that arrives. */
  readonly watch: WatchCall;
  readonly backoff: Pauses;
  readonly log: Log;
  /** Called at every change of state. */
  readonly onState: (state: LinkState) => void;
}

/**
 * One lane's connection to the relay, for as long as the agent runs: dial,
 * greet, serve calls until it ends, wait, dial again.
 */
export class Link {
  #state: LinkState = { kind: "closed" };
  readonly #options: LinkOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #watchdog: Watchdog | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Where the link is now. */
  state(): LinkState {
    return this.#state;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Another lane to the same relay has broken: this one shows that it has not, or ends. */
  suspect(): void {
    this.#watchdog?.suspect();
  }

  /** Ends the link for good and waits until its connection is closed. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const stop = this.#stopping.signal;
    const backoff = new Backoff(this.#options.backoff);
    while (!stop.aborted) {
      const startedAt = performance.now();
      const error = await this.#connectOnce().then(
        () => new CmdopError("LinkLost", "The connection to the relay has ended."),
        (thrown) => CmdopError.from(thrown),
      );
      if (stop.aborted) break;
      const wasSteady = error.code === "LinkLost" && performance.now() - startedAt >= STEADY_AFTER_MS;
      if (wasSteady) backoff.reset();
      const waitMs = backoff.nextMs();
      this.#setState({ kind: "waiting", waitMs, error });
      await pause(waitMs, { signal: stop });
    }
    this.#setState({ kind: "closed" });
  }

  /** Resolves when a connection that was welcomed has ended; throws when it never came to that. */
  async #connectOnce(): Promise<void> {
    const { greeter } = this.#options;
    this.#setState({ kind: "connecting" });
    const relay = greeter.membership.relay;
    const tls = await connectToRelay({ relay, alpn: AGENT_ALPN, signal: this.#stopping.signal });
    this.#setState({ kind: "greeting" });
    await this.#serveOn(tls);
  }

  async #serveOn(tls: TLSSocket): Promise<void> {
    const { lane, greeter, admit, watch, addServices } = this.#options;
    const greeting = createGreeting(greeter, lane, tls);
    const server = new RpcServer(watch);
    serve(server, LinkService, async () => ({ caller: undefined }), greeting.handlers);
    addServices(server, (arrival) => {
      if (!greeting.welcomed || arrival.path.startsWith(LINK_SERVICE_PREFIX)) {
        throw new CmdopError("Unauthenticated", "This link has not been welcomed yet.");
      }
      return admit(arrival);
    });
    const ended = Promise.withResolvers<void>();
    tls.once("close", () => ended.resolve());
    tls.once("error", () => tls.destroy());
    // Without it, a write that is the first to meet a reset connection silences all events. Content is too much for it:
    // there the watchdog notices.
    const connection = lane === "interactive" ? new DrainingDuplex(tls) : tls;
    const session = server.accept(connection, LANE_WINDOWS[lane].toMachine);
    session.once("close", () => ended.resolve());
    session.once("error", (error) => this.#options.log.warn("link error", { lane, error: error.message }));
    this.#watchdog = watchdog({ session, socket: tls, onDead: () => ended.resolve() });
    let leaving: NodeJS.Timeout | undefined;
    const stop = (): void => {
      server.drain();
      leaving = setTimeout(() => ended.resolve(), LEAVE_WITHIN_MS);
    };
    this.#stopping.signal.addEventListener("abort", stop, { once: true });
    const timer = setTimeout(() => ended.resolve(), GREETING_TIMEOUT_MS);
    try {
      await Promise.race([greeting.done, ended.promise]);
      clearTimeout(timer);
      if (!greeting.welcomed) {
        throw new CmdopError(
          "RelayUnreachable",
          `The relay at ${greeter.membership.relay.address} sent no welcome.`,
        );
      }
      // The relay sends the lane's windows when it begins to route calls here: only then is the machine online.
      await Promise.race([once(session, "remoteSettings"), ended.promise]);
      this.#setState({ kind: "up" });
      await ended.promise;
    } finally {
      clearTimeout(timer);
      clearTimeout(leaving);
      this.#watchdog.stop();
      this.#watchdog = undefined;
      this.#stopping.signal.removeEventListener("abort", stop);
      server.close();
      tls.destroy();
    }
  }

  #setState(state: LinkState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}
