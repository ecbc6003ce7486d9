import { setTimeout as sleep } from "node:timers/promises";
import {
  type CallOptions,
  type ChannelOf,
  CmdopError,
  createClient,
  type LaneName,
  mayHaveRun,
  methodRule,
  type Service,
  type ServiceClient,
} from "@cmdop/proto";
import type { Transport } from "./transport.ts";
import { type OnWaiting, waitingListener } from "./waiting.ts";

/** Attempts at a call that may be repeated, in all. */
const MAX_ATTEMPTS = 4;

/** Pause before the second attempt, in milliseconds; it doubles. */
const FIRST_RETRY_PAUSE_MS = 50;

/** What every call says about itself. */
export interface InvokeOptions {
  readonly signal?: AbortSignal | undefined;
  /** False for a call that may not be repeated although its method's others may: one with a condition. */
  readonly repeatable?: boolean | undefined;
  /** Told when the call waits for a person. */
  readonly onWaiting?: OnWaiting | undefined;
}

/** Calls methods of one machine (or of the relay itself) and applies the retry class that the method table gives each. */
export class MachineCaller {
  readonly transport: Transport;
  readonly #machine: () => Promise<string | null>;

  /** `machine`: finds the id or name to call; null for the relay's own services and for the local agent. */
  constructor(transport: Transport, machine: () => Promise<string | null>) {
    this.transport = transport;
    this.#machine = machine;
  }

  /** The machine that calls go to, as it is named on the wire. */
  machineName(): Promise<string | null> {
    return this.#machine();
  }

  /** The client of a service, each method on the channel of its lane. */
  client<S extends Service>(service: S): ServiceClient<S> {
    return createClient(service, this.#channelOf);
  }

  /** One attempt at a method: connected first, with fresh headers. Nothing has been sent when it throws RelayUnreachable. */
  async options(path: string, options: InvokeOptions = {}): Promise<CallOptions> {
    const machine = await this.#machine();
    await this.transport.ready(laneOf(path));
    const headers = await this.transport.headers(machine);
    return { headers, signal: options.signal, onHeaders: waitingListener(options.onWaiting) };
  }

  /**
   * Calls a unary method. A lost reply, or a call that was broken off for what it
   * held, is tried again where the method table calls that safe; otherwise it
   * throws OutcomeUnknown, never a guess.
   */
  async invoke<T>(
    path: string,
    tryOnce: (options: CallOptions) => Promise<T>,
    options: InvokeOptions = {},
  ): Promise<T> {
    const retry = options.repeatable === false ? "never" : methodRule(path)?.retry;
    for (let attempt = 1; ; attempt += 1) {
      const callOptions = await this.options(path, options);
      try {
        return await tryOnce(callOptions);
      } catch (thrown) {
        const error = CmdopError.from(thrown);
        // As it was thrown: it may be what the caller's own listener threw.
        if (!mayHaveRun(error)) throw thrown;
        if (retry === "never" || retry === undefined || (retry === "job" && attempt >= MAX_ATTEMPTS)) {
          throw new CmdopError("OutcomeUnknown", `${path} was broken off: ${error.message}`, {
            cause: error,
          });
        }
        if (attempt >= MAX_ATTEMPTS) throw error;
        await sleep(FIRST_RETRY_PAUSE_MS * 2 ** attempt);
      }
    }
  }

  readonly #channelOf: ChannelOf = (path) => this.transport.channel(laneOf(path));
}

function laneOf(path: string): LaneName {
  return methodRule(path)?.lane ?? "interactive";
}
