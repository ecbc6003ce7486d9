/** The system clock has jumped where it differs by more than this, in milliseconds, from the time that has passed: what NTP corrects at once is less. */
const JUMP_MS = 10_000;

/** How long the system clock must stand by a jump, in milliseconds, before anything is ended or forgotten by it: one that was set wrong is set right soon. */
const BELIEVED_AFTER_MS = 60_000;

/** What the system clock has done. `believed`: it has stood by its jump, and counts from now on; `returned`: it has gone back on it. */
export interface ClockJump {
  readonly state: "jumped" | "believed" | "returned";
  /** By how much it is ahead of the time that has passed, in milliseconds; negative where it is behind. */
  readonly aheadMs: number;
}

/** A reading of both clocks at once, in milliseconds. */
interface Reading {
  readonly systemMs: number;
  readonly steadyMs: number;
}

/** How far a later reading of the system clock is from where the time that has passed puts it. */
function ahead(now: Reading, before: Reading): number {
  return now.systemMs - before.systemMs - (now.steadyMs - before.steadyMs);
}

/**
 * The time as far as it can be trusted on a device that may have no clock: the
 * latest of the system clock and every time seen in a verified statement. A
 * relay can make it run ahead of a wrong clock by showing newer statements,
 * and so deny, but it can never turn it back, and so never prolong.
 */
export class TrustedClock {
  #ownerSignedS = 0;
  #callerSignedS = 0;
  readonly #read: () => Reading;
  /** The last reading that was believed. */
  #believed: Reading;
  /** The first reading after a jump that is not believed yet. */
  #doubted: Reading | undefined;
  #onJump: (jump: ClockJump) => void = () => undefined;

  /** `system`: milliseconds since 1970; `steady`: milliseconds by a clock that nobody sets. Those of this machine unless a test says otherwise. */
  constructor(system: () => number = Date.now, steady: () => number = () => performance.now()) {
    this.#read = () => ({ systemMs: system(), steadyMs: steady() });
    this.#believed = this.#read();
  }

  /** Seconds since 1970: what lets a call in. A wrong clock denies, until it is right again. */
  nowS(): number {
    return this.#latest(this.#read().systemMs);
  }

  /**
   * Seconds since 1970 by a clock that has not just jumped: what ends or forgets
   * something, which nobody can undo. To be asked every few seconds.
   */
  steadyS(): number {
    const now = this.#read();
    if (Math.abs(ahead(now, this.#believed)) <= JUMP_MS) {
      if (this.#doubted !== undefined) this.#say("returned", ahead(this.#doubted, this.#believed));
      this.#believe(now);
      return this.#latest(now.systemMs);
    }
    if (this.#doubted === undefined || Math.abs(ahead(now, this.#doubted)) > JUMP_MS) {
      this.#doubted = now;
      this.#say("jumped", ahead(now, this.#believed));
    }
    if (now.steadyMs - this.#doubted.steadyMs >= BELIEVED_AFTER_MS) {
      this.#say("believed", ahead(now, this.#believed));
      this.#believe(now);
      return this.#latest(now.systemMs);
    }
    return this.#latest(this.#believed.systemMs + now.steadyMs - this.#believed.steadyMs);
  }

  /** Calls the listener, in place of an earlier one, when `steadyS` finds that the system clock has jumped, and what became of it. */
  onJump(listener: (jump: ClockJump) => void): void {
    this.#onJump = listener;
  }

  /** Takes note of a time, in seconds since 1970, from a verified statement of an owner. */
  observeOwner(signedS: number): void {
    this.#ownerSignedS = Math.max(this.#ownerSignedS, signedS);
  }

  /**
   * Takes note of a time from a verified call token. It counts only while the
   * system clock is known to be wrong, being behind an owner's statement:
   * otherwise any key could push the clock ahead and lock everyone else out.
   */
  observeCaller(signedS: number): void {
    const { systemMs } = this.#read();
    if (systemMs / 1000 < this.#ownerSignedS) this.#callerSignedS = Math.max(this.#callerSignedS, signedS);
  }

  #latest(systemMs: number): number {
    return Math.max(Math.floor(systemMs / 1000), this.#ownerSignedS, this.#callerSignedS);
  }

  #believe(reading: Reading): void {
    this.#believed = reading;
    this.#doubted = undefined;
  }

  #say(state: ClockJump["state"], aheadMs: number): void {
    this.#onJump({ state, aheadMs: Math.round(aheadMs) });
  }
}
