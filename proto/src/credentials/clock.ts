/**
 * The time as far as it can be trusted on a device that may have no clock: the
 * latest of the system clock and every time seen in a verified statement. A
 * relay can make it run ahead of a wrong clock by showing newer statements,
 * and so deny, but it can never turn it back, and so never prolong.
 */
export class TrustedClock {
  #highestS = 0;
  readonly #system: () => number;

  /** `system`: milliseconds since 1970; Date.now unless a test says otherwise. */
  constructor(system: () => number = Date.now) {
    this.#system = system;
  }

  /** Seconds since 1970. */
  nowS(): number {
    return Math.max(Math.floor(this.#system() / 1000), this.#highestS);
  }

  /** Takes note of a time, in seconds since 1970, from a statement whose signature has been verified. */
  observe(verifiedS: number): void {
    this.#highestS = Math.max(this.#highestS, verifiedS);
  }
}
