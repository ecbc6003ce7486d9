/**
 * The time as far as it can be trusted on a device that may have no clock: the
 * latest of the system clock and every time seen in a verified statement. A
 * relay can make it run ahead of a wrong clock by showing newer statements,
 * and so deny, but it can never turn it back, and so never prolong.
 */
export class TrustedClock {
  #ownerSignedS = 0;
  #callerSignedS = 0;
  readonly #system: () => number;

  /** `system`: milliseconds since 1970; Date.now unless a test says otherwise. */
  constructor(system: () => number = Date.now) {
    this.#system = system;
  }

  /** Seconds since 1970. */
  nowS(): number {
    return Math.max(this.#systemS(), this.#ownerSignedS, this.#callerSignedS);
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
    if (this.#systemS() < this.#ownerSignedS) this.#callerSignedS = Math.max(this.#callerSignedS, signedS);
  }

  #systemS(): number {
    return Math.floor(this.#system() / 1000);
  }
}
