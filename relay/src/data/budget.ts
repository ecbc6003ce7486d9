import { CmdopError, HeldBytes, type Holder, type KeyId } from "@cmdop/proto";
import {
  CANCEL_BURST,
  CANCELS_PER_SECOND,
  FORGET_CANCELS_INTERVAL_MS,
  HELD_SAMPLE_INTERVAL_MS,
  MAX_CALLS,
  MAX_CALLS_PER_KEY,
  MAX_HELD_BYTES,
  MAX_HELD_BYTES_PER_KEY,
  MAX_SERVICE_CALLS_PER_KEY,
  MAX_SESSIONS_PER_KEY,
} from "./limits.ts";

/** An open call, so that it can be ended when its key may not call any more. */
export interface OpenCall {
  /** What answers it: a machine, or the relay's own services. */
  readonly to: "machine" | "relay";
  fail(error: CmdopError): void;
}

/** The bounds of a budget; the named limits unless a test says otherwise. */
export interface BudgetBounds {
  readonly callsPerKey: number;
  readonly serviceCallsPerKey: number;
  readonly calls: number;
  readonly sessionsPerKey: number;
  readonly heldBytesPerKey: number;
  readonly heldBytes: number;
  readonly cancelsPerSecond: number;
}

const DEFAULT_BOUNDS: BudgetBounds = {
  callsPerKey: MAX_CALLS_PER_KEY,
  serviceCallsPerKey: MAX_SERVICE_CALLS_PER_KEY,
  calls: MAX_CALLS,
  sessionsPerKey: MAX_SESSIONS_PER_KEY,
  heldBytesPerKey: MAX_HELD_BYTES_PER_KEY,
  heldBytes: MAX_HELD_BYTES,
  cancelsPerSecond: CANCELS_PER_SECOND,
};

/** What the callers use, by key: none may take more than its share, so that what goes wrong for one goes wrong for it alone. */
export class Budget {
  readonly #bounds: BudgetBounds;
  readonly #calls = new Map<KeyId, Record<OpenCall["to"], Set<OpenCall>>>();
  readonly #sessions = new Map<KeyId, number>();
  readonly #cancels = new Map<KeyId, { spent: number; atMs: number }>();
  readonly #held: HeldBytes;
  readonly #forgetting: NodeJS.Timeout;
  #callCount = 0;

  constructor(bounds: Partial<BudgetBounds> = {}) {
    this.#bounds = { ...DEFAULT_BOUNDS, ...bounds };
    this.#held = new HeldBytes({
      perAccount: this.#bounds.heldBytesPerKey,
      inAll: this.#bounds.heldBytes,
      sampleIntervalMs: HELD_SAMPLE_INTERVAL_MS,
    });
    this.#forgetting = setInterval(() => this.#forgetCancels(), FORGET_CANCELS_INTERVAL_MS).unref();
  }

  close(): void {
    clearInterval(this.#forgetting);
    this.#held.close();
  }

  get callCount(): number {
    return this.#callCount;
  }

  /** Counts a call; throws LimitExceeded when the key, or everybody, has too many. Call what it returns at its end. */
  openCall(keyId: KeyId, call: OpenCall): () => void {
    const calls = this.#calls.get(keyId) ?? { machine: new Set(), relay: new Set() };
    const { callsPerKey, serviceCallsPerKey, calls: most } = this.#bounds;
    if (calls.machine.size + calls.relay.size >= callsPerKey)
      throw exceeded(`This key has ${callsPerKey} calls open; ${callsPerKey} are the most.`);
    if (call.to === "relay" && calls.relay.size >= serviceCallsPerKey) {
      throw exceeded(
        `This key has ${serviceCallsPerKey} calls to the relay itself open; ${serviceCallsPerKey} are the most.`,
      );
    }
    if (this.#callCount >= most) throw exceeded(`This relay carries ${most} calls; it takes no more.`);
    if (this.#spentCancels(keyId) >= CANCEL_BURST) {
      throw exceeded(
        `This key cancels its calls too fast: ${CANCEL_BURST} at once and ${CANCELS_PER_SECOND} a second are the most.`,
      );
    }
    calls[call.to].add(call);
    this.#calls.set(keyId, calls);
    this.#callCount += 1;
    return () => {
      if (!calls[call.to].delete(call)) return;
      this.#callCount -= 1;
      const isLast = calls.machine.size === 0 && calls.relay.size === 0;
      if (isLast && this.#calls.get(keyId) === calls) this.#calls.delete(keyId);
    };
  }

  /** Counts a call that its caller canceled: each costs the machine a reset, and machines count those of all callers together. */
  noteCancel(keyId: KeyId): void {
    this.#cancels.set(keyId, { spent: this.#spentCancels(keyId) + 1, atMs: performance.now() });
  }

  /** Counts a session; throws LimitExceeded when the key has too many. Call what it returns at its end. */
  openSession(keyId: KeyId): () => void {
    const count = this.#sessions.get(keyId) ?? 0;
    const { sessionsPerKey } = this.#bounds;
    if (count >= sessionsPerKey)
      throw exceeded(`This key has ${count} connections; ${sessionsPerKey} are the most.`);
    this.#sessions.set(keyId, count + 1);
    return () => {
      const rest = (this.#sessions.get(keyId) ?? 1) - 1;
      if (rest === 0) this.#sessions.delete(keyId);
      else this.#sessions.set(keyId, rest);
    };
  }

  /** The keys that have calls open. */
  callers(): readonly KeyId[] {
    return [...this.#calls.keys()];
  }

  /**
   * Ends every open call of a key on machines. The relay's own services answer
   * within moments and ask for the key once more; an owner who has just put the
   * roster that names it no longer is to hear that this is done.
   */
  endCalls(keyId: KeyId, error: CmdopError): void {
    for (const call of [...(this.#calls.get(keyId)?.machine ?? [])]) call.fail(error);
  }

  /** Watches what something makes the relay hold; the largest of whoever holds too much is dropped. */
  hold(holder: Holder): void {
    this.#held.hold(holder);
  }

  release(holder: Holder): void {
    this.#held.release(holder);
  }

  #forgetCancels(): void {
    for (const keyId of this.#cancels.keys()) {
      if (this.#spentCancels(keyId) === 0) this.#cancels.delete(keyId);
    }
  }

  #spentCancels(keyId: KeyId): number {
    const cancels = this.#cancels.get(keyId);
    if (cancels === undefined) return 0;
    const passedS = (performance.now() - cancels.atMs) / 1000;
    return Math.max(0, cancels.spent - passedS * this.#bounds.cancelsPerSecond);
  }
}

function exceeded(message: string): CmdopError {
  return new CmdopError("LimitExceeded", message);
}
