import type { CmdopError, ErrorCode } from "@cmdop/proto";
import type { LinkListeners, LinkLoss } from "./types.ts";

/**
 * Lifetime of a stream that ends an outage, in milliseconds. A stream that only says `started` and breaks
 * again does not end it.
 */
const STEADY_AFTER_MS = 5_000;

/**
 * The connection to a machine while a job is followed: it knows of a loss, and limits the wait for the
 * return.
 */
export class Outage {
  readonly #windowMs: number;
  readonly #listeners: LinkListeners;
  /** Start of the wait, by the monotonic clock: time in which the computer sleeps does not count. */
  #waitingSinceMs: number | undefined;
  #loss: LinkLoss | undefined;
  #isKnownOffline = false;

  constructor(windowMs: number, listeners: LinkListeners) {
    this.#windowMs = windowMs;
    this.#listeners = listeners;
  }

  /**
   * Reports that a stream, opened at `openedAtMs`, broke or could not be opened. Returns false when the
   * window is over.
   */
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

  /** Reports that the machine answers. */
  back(): void {
    if (this.#loss === undefined) return;
    this.#loss = undefined;
    this.#isKnownOffline = false;
    this.#listeners.onLink?.("back");
  }

  /** Reports progress: the window of the next loss starts anew. */
  moved(): void {
    this.#waitingSinceMs = undefined;
  }
}

/** Returns true for a loss that means that the machine itself is known to be offline. */
function isOffline(code: ErrorCode): boolean {
  return code === "MachineOffline";
}

/** Keeps the latest news of the connection to a machine, to be read at any time. */
export class LinkWatch implements LinkListeners {
  /** The loss; undefined while the connection is up. */
  loss: LinkLoss | undefined;
  readonly #listeners: LinkListeners;

  /** `listeners` are called as well. */
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
