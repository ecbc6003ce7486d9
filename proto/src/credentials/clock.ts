/**
 * Smallest jump of the system clock, in milliseconds: the difference between its change and the time that has
 * passed. NTP corrects less at once.
 */
const JUMP_MS = 10_000;

/**
 * Time for which the system clock must keep a jump before it ends or forgets anything, in milliseconds: a
 * wrong setting is soon corrected.
 */
const BELIEVED_AFTER_MS = 60_000;

/**
 * An event of the system clock. `believed`: it has kept its jump, which counts from now on; `returned`: it
 * has gone back.
 */
export interface ClockJump {
  readonly state: "jumped" | "believed" | "returned";
  /** Its lead over the time that has passed, in milliseconds; negative if it is behind. */
  readonly aheadMs: number;
}

/** A reading of both clocks at once, in milliseconds. */
interface Reading {
  readonly systemMs: number;
  readonly steadyMs: number;
}

/** Returns the lead of a later system time over the time that has passed. */
function ahead(now: Reading, before: Reading): number {
  return now.systemMs - before.systemMs - (now.steadyMs - before.steadyMs);
}

/**
 * A clock for devices that may have no correct time: the latest of the system clock and every time seen in a
 * verified statement. A relay that shows newer statements can make it run ahead of a wrong clock, and so deny
 * calls, but it can never turn it back, and so never prolong a right.
 */
export class TrustedClock {
  #ownerSignedS = 0;
  #callerSignedS = 0;
  readonly #read: () => Reading;
  /** The last reading that was accepted. */
  #believed: Reading;
  /** The first reading after a jump that is not accepted yet. */
  #doubted: Reading | undefined;
  #onJump: (jump: ClockJump) => void = () => undefined;

  /**
   * `system`: milliseconds since 1970. `steady`: milliseconds by a monotonic clock. Defaults: the clocks of
   * this machine; tests set others.
   */
  constructor(system: () => number = Date.now, steady: () => number = () => performance.now()) {
    this.#read = () => ({ systemMs: system(), steadyMs: steady() });
    this.#believed = this.#read();
  }

  /** Returns seconds since 1970, for admitting calls. A wrong clock denies calls until it is right again. */
  nowS(): number {
    return this.#latest(this.#read().systemMs);
  }

  /**
   * Returns seconds since 1970 by a clock that ignores recent jumps, for ending or forgetting things, which
   * can't be undone. Must be called every few seconds.
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

  /**
   * Sets the listener, which replaces an earlier one. It is called when `steadyS` finds a jump of the system
   * clock, and with the jump's result.
   */
  onJump(listener: (jump: ClockJump) => void): void {
    this.#onJump = listener;
  }

  /** Records a time, in seconds since 1970, from a verified statement of an owner. */
  observeOwner(signedS: number): void {
    this.#ownerSignedS = Math.max(this.#ownerSignedS, signedS);
  }

  /**
   * Records a time, in seconds since 1970, from a verified call token. It counts only while the system clock
   * is known to be wrong because it is behind an owner's statement: otherwise any key could push the clock
   * ahead and lock everyone else out.
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
