import type { CmdopError, ErrorCode } from "@cmdop/proto";
import type { LinkListeners, LinkLoss } from "./types.ts";

/** A stream that lived this long, in milliseconds, ends an outage; one that only says `started` and breaks again does not. */
const STEADY_AFTER_MS = 5_000;

/** The way to a machine while a job is followed: whether it is lost, and for how long it is waited for. */
export class Outage {
  readonly #windowMs: number;
  readonly #listeners: LinkListeners;
  /** When the waiting began, by the monotonic clock: a computer that sleeps does not wait. */
  #waitingSinceMs: number | undefined;
  #loss: LinkLoss | undefined;
  #isKnownOffline = false;

  constructor(windowMs: number, listeners: LinkListeners) {
    this.#windowMs = windowMs;
    this.#listeners = listeners;
  }

  /** A stream that was opened at `openedAtMs` broke, or could not be opened; false when it has been waited for long enough. */
  broke({ code, message }: CmdopError, openedAtMs: number): boolean {
    const now = performance.now();
    if (now - openedAtMs >= STEADY_AFTER_MS) this.#waitingSinceMs = undefined;
    this.#waitingSinceMs ??= now;
    if (now - this.#waitingSinceMs >= this.#windowMs) return false;
    const wasUp = this.#loss === undefined;
    const loss: LinkLoss = {
      code,
      message,
      sinceMs: this.#loss?.sinceMs ?? Date.now(),
      reconnectWindowMs: this.#windowMs,
    };
    this.#loss = loss;
    if (wasUp) this.#listeners.onLink?.("lost", loss);
    if (isOffline(code) && !this.#isKnownOffline) {
      this.#isKnownOffline = true;
      this.#listeners.onOffline?.(loss);
    }
    return true;
  }

  /** The machine answers. */
  back(): void {
    if (this.#loss === undefined) return;
    this.#loss = undefined;
    this.#isKnownOffline = false;
    this.#listeners.onLink?.("back");
  }

  /** Something new has come: the next loss is waited for from its own beginning. */
  moved(): void {
    this.#waitingSinceMs = undefined;
  }
}

/** Whether a loss means that the machine itself is known to be away. */
function isOffline(code: ErrorCode): boolean {
  return code === "MachineOffline";
}

/** Keeps what is known of the way to a machine, for whoever asks in between. */
export class LinkWatch implements LinkListeners {
  /** Undefined while all is well. */
  loss: LinkLoss | undefined;
  readonly #listeners: LinkListeners;

  /** `listeners` are told on. */
  constructor(listeners: LinkListeners = {}) {
    this.#listeners = listeners;
  }

  readonly onLink: NonNullable<LinkListeners["onLink"]> = (state, loss) => {
    this.loss = loss;
    this.#listeners.onLink?.(state, loss);
  };

  readonly onOffline: NonNullable<LinkListeners["onOffline"]> = (loss) => {
    this.loss = loss;
    this.#listeners.onOffline?.(loss);
  };
}
