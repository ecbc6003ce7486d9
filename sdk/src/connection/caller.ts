import { atLeastHalf, Backoff, type Pauses } from "@cmdop/kit";
import {
  type CallOptions,
  type ChannelOf,
  CmdopError,
  createClient,
  type LaneName,
  type MethodRule,
  mayHaveRun,
  methodRule,
  RELAY_SERVICES_PREFIX,
  type Service,
  type ServiceClient,
} from "@cmdop/proto";
import type { Transport } from "./transport.ts";
import { type OnWaiting, waitingListener } from "./waiting.ts";

/** Times that a call which may be repeated is tried again. */
const MAX_RETRIES = 3;

/** Between attempts: many who were refused at once are not to come back at once. */
const RETRY_PAUSES: Pauses = { firstPauseMs: 100, maxPauseMs: 1_000 };

/** How long a call to the relay itself is tried while this key has too many of them open, in milliseconds: each is answered within moments. */
const BUSY_RELAY_WINDOW_MS = 20_000;

/** What every call says about itself. */
export interface InvokeOptions {
  readonly signal?: AbortSignal | undefined;
  /** The job that is called about: named where the outcome is unknown. */
  readonly jobId?: string | undefined;
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
   * held, is tried again where the method table calls that safe. However it ends
   * after that, a call that changes something and may have been carried out is
   * OutcomeUnknown, never a guess.
   */
  async invoke<T>(
    path: string,
    tryOnce: (options: CallOptions) => Promise<T>,
    options: InvokeOptions = {},
  ): Promise<T> {
    const rule = methodRule(path);
    const attempts = new Attempts(path, options);
    const renewal = new TokenRenewal(this.transport);
    for (;;) {
      try {
        return await tryOnce(await this.options(path, options));
      } catch (thrown) {
        const error = CmdopError.from(thrown);
        if (renewal.helps(error) || (await attempts.mayGoOn(error))) continue;
        const { lost } = attempts;
        // As it was thrown: it may be what the caller's own listener threw.
        if (lost === undefined || changesNothing(rule) || saysThatNothingRan(error)) throw thrown;
        throw outcomeUnknown(path, lost, error, options);
      }
    }
  }

  readonly #channelOf: ChannelOf = (path) => this.transport.channel(laneOf(path));
}

/** The attempts at one call. */
class Attempts {
  readonly #path: string;
  readonly #signal: AbortSignal | undefined;
  readonly #mayRepeat: boolean;
  readonly #busyUntilMs = performance.now() + BUSY_RELAY_WINDOW_MS;
  readonly #pauses = new Backoff(RETRY_PAUSES, atLeastHalf);
  #lost: CmdopError | undefined;

  constructor(path: string, { signal, repeatable = true }: InvokeOptions) {
    this.#path = path;
    this.#signal = signal;
    const retry = methodRule(path)?.retry ?? "never";
    this.#mayRepeat = repeatable && retry !== "never";
  }

  /** What the first of them ended with that may have been carried out. */
  get lost(): CmdopError | undefined {
    return this.#lost;
  }

  /** Whether to try again after one that failed so; pauses first. */
  async mayGoOn(error: CmdopError): Promise<boolean> {
    if (mayHaveRun(error)) this.#lost ??= error;
    if (!this.#mayRepeat || this.#signal?.aborted) return false;
    const isOnItsWay = this.#lost !== undefined && isPassing(error) && this.#pauses.failures < MAX_RETRIES;
    if (!isOnItsWay && !this.#isBusyRelay(error)) return false;
    await this.#pauses.wait({ signal: this.#signal });
    return true;
  }

  #isBusyRelay({ code }: CmdopError): boolean {
    const isRelay = code === "LimitExceeded" && this.#path.startsWith(RELAY_SERVICES_PREFIX);
    return isRelay && performance.now() < this.#busyUntilMs;
  }
}

/** The second chance of a call whose token was too old by the time that it was read: nothing has run. */
export class TokenRenewal {
  readonly #transport: Transport;
  #isSpent = false;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Whether the call is to be made again, with a new token: once, since where clocks differ no token helps. */
  helps({ code }: CmdopError): boolean {
    if (code !== "TokenExpired" || this.#isSpent) return false;
    this.#isSpent = true;
    this.#transport.renewTokens();
    return true;
  }

  /** The new token was good. */
  restore(): void {
    this.#isSpent = false;
  }
}

/** Whether an error says only that the way is closed for now, and nothing of what was called. */
export function isPassing({ code }: CmdopError): boolean {
  return (
    code === "LinkLost" ||
    code === "RelayUnreachable" ||
    code === "MachineOffline" ||
    code === "LimitExceeded"
  );
}

/** Whether this refusal of a second attempt says of the first one too that it did nothing. */
export function saysThatNothingRan({ code }: CmdopError): boolean {
  return code === "JobConflict" || code === "ApprovalRefused";
}

/** Of such a call it does not matter whether it was carried out. */
function changesNothing(rule: MethodRule | undefined): boolean {
  return rule?.countable === true && rule.retry === "safe";
}

function outcomeUnknown(
  path: string,
  lost: CmdopError,
  last: CmdopError,
  { jobId }: InvokeOptions,
): CmdopError {
  const job = jobId === undefined ? "" : ` for the job ${jobId}`;
  const then = last === lost ? "" : ` Then: ${last.message}`;
  return new CmdopError("OutcomeUnknown", `${path} was broken off${job}: ${lost.message}${then}`, {
    cause: last,
    jobId,
  });
}

function laneOf(path: string): LaneName {
  return methodRule(path)?.lane ?? "interactive";
}
