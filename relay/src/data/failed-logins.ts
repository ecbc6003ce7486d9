import { BoundedMap } from "@cmdop/kit";
import { CmdopError, type KeyId } from "@cmdop/proto";
import type { Visitor } from "./visitor.ts";

/** How many logins may fail. */
export interface LoginBounds {
  /** Failures of one address (one /64 of IPv6) at once, and how many are forgiven a second. */
  readonly failuresPerAddress: number;
  readonly forgivenPerAddressPerSecond: number;
  /** The same of one key id that is claimed, from wherever; and of one key, at one address, on connections where it has proven itself. */
  readonly failuresPerKey: number;
  readonly forgivenPerKeyPerSecond: number;
  /** Accounts of each of these kinds that are remembered: 200 bytes each. Beyond it the one that failed least recently is forgotten. */
  readonly remembered: number;
}

/**
 * Nobody guesses an Ed25519 signature; what failures cost is the time of their
 * checks, some 0.2 ms each. A whole office behind one address, with a clock
 * that is wrong, stays within these; a flood costs one percent of a core.
 */
export const DEFAULT_LOGIN_BOUNDS: LoginBounds = {
  failuresPerAddress: 1_000,
  forgivenPerAddressPerSecond: 20,
  failuresPerKey: 100,
  forgivenPerKeyPerSecond: 2,
  remembered: 10_000,
};

/** One login that is not decided yet. */
export interface LoginAttempt {
  /** It was good: nothing is held against anybody. */
  passed(): void;
  /** `proven`: its signature was good, only it may not call any more; that is nobody else's doing in its key's name. */
  failed(proven: boolean): void;
}

/** The failures of one address or key. */
interface Failures {
  count: number;
  atMs: number;
  /** The tokens that are being checked: until they have passed, they count like failures. */
  readonly underWay: Set<string>;
}

/**
 * Bounds failed logins, without letting anybody close the door to a neighbour:
 * 1. A key that has proven itself on its connection is judged by its own account,
 *    whatever comes from its address or in its name on other connections.
 * 2. On any other connection logins are looked at until one has failed: the
 *    handshake that each such connection took costs the relay several checks.
 * 3. Then its address' failures count, and those in the name of the key. A key id
 *    is no secret, so the latter close the key only to addresses that have failed.
 * Times are milliseconds of a clock that never goes back.
 */
export class FailedLogins {
  readonly #bounds: LoginBounds;
  readonly #nowMs: () => number;
  readonly #addresses: BoundedMap<string, Failures>;
  readonly #claimed: BoundedMap<KeyId, Failures>;
  readonly #proven: BoundedMap<string, Failures>;

  constructor(bounds: Partial<LoginBounds> = {}, nowMs: () => number = () => performance.now()) {
    this.#bounds = { ...DEFAULT_LOGIN_BOUNDS, ...bounds };
    const { remembered } = this.#bounds;
    this.#addresses = new BoundedMap(remembered);
    this.#claimed = new BoundedMap(remembered);
    this.#proven = new BoundedMap(remembered);
    this.#nowMs = nowMs;
  }

  /** How many addresses and keys are remembered. */
  get size(): number {
    return this.#addresses.size + this.#claimed.size + this.#proven.size;
  }

  /**
   * Lets a login be checked. `token`: what tells it from others; calls that
   * arrive together with the same one count once. Not to be called while the
   * visitor is being looked at. @throws CmdopError LimitExceeded
   */
  attempt(visitor: Visitor, keyId: KeyId | undefined, token: string): LoginAttempt {
    if (keyId !== undefined && visitor.hasProven(keyId)) return this.#ofProven(visitor, keyId);
    if (visitor.isClean) return this.#firstLook(visitor, keyId);
    return this.#ofAddress(visitor, keyId, token);
  }

  /** What is under way does not count here: a fleet is called with a token for each machine, all at once. */
  #ofProven({ group }: Visitor, keyId: KeyId): LoginAttempt {
    const { failuresPerKey, forgivenPerKeyPerSecond } = this.#bounds;
    const name = `${keyId} ${group}`;
    if (this.#forgive(this.#proven, name, forgivenPerKeyPerSecond).count >= failuresPerKey) {
      throw tooMany("of this key from here", forgivenPerKeyPerSecond);
    }
    return {
      passed: () => undefined,
      failed: () => this.#count(this.#proven, name, failuresPerKey, forgivenPerKeyPerSecond),
    };
  }

  #firstLook(visitor: Visitor, keyId: KeyId | undefined): LoginAttempt {
    const { failuresPerAddress, forgivenPerAddressPerSecond } = this.#bounds;
    const done = visitor.look();
    return {
      passed: () => done(true),
      failed: (proven) => {
        done(false);
        this.#count(this.#addresses, visitor.group, failuresPerAddress, forgivenPerAddressPerSecond);
        if (!proven) this.#countClaimed(keyId);
      },
    };
  }

  #ofAddress({ group }: Visitor, keyId: KeyId | undefined, token: string): LoginAttempt {
    const { failuresPerAddress, forgivenPerAddressPerSecond } = this.#bounds;
    const { failuresPerKey, forgivenPerKeyPerSecond } = this.#bounds;
    const here = this.#forgive(this.#addresses, group, forgivenPerAddressPerSecond);
    const claimed =
      keyId === undefined ? undefined : this.#forgive(this.#claimed, keyId, forgivenPerKeyPerSecond);
    const isNew = !here.underWay.has(token);
    if (isNew && here.count + here.underWay.size >= failuresPerAddress) {
      throw tooMany("from this address", forgivenPerAddressPerSecond);
    }
    if (isNew && claimed !== undefined && claimed.count >= failuresPerKey && here.count > 0) {
      throw tooMany("in the name of this key", forgivenPerKeyPerSecond);
    }
    here.underWay.add(token);
    this.#addresses.set(group, here);
    return {
      passed: () => {
        here.underWay.delete(token);
        const isClean = here.count === 0 && here.underWay.size === 0;
        if (isClean && this.#addresses.get(group) === here) this.#addresses.delete(group);
      },
      failed: (proven) => {
        if (!here.underWay.delete(token)) return;
        here.count += 1;
        this.#addresses.set(group, here);
        if (!proven) this.#countClaimed(keyId);
      },
    };
  }

  #countClaimed(keyId: KeyId | undefined): void {
    const { failuresPerKey, forgivenPerKeyPerSecond } = this.#bounds;
    if (keyId !== undefined) this.#count(this.#claimed, keyId, failuresPerKey, forgivenPerKeyPerSecond);
  }

  /** Counts a failure, up to the bound: what a flood leaves behind is to be forgiven within a minute. */
  #count<Name>(all: BoundedMap<Name, Failures>, name: Name, most: number, perSecond: number): void {
    const failures = this.#forgive(all, name, perSecond);
    failures.count = Math.min(most, failures.count + 1);
    all.set(name, failures);
  }

  /** What is still held against one, after what time has forgiven. */
  #forgive<Name>(all: BoundedMap<Name, Failures>, name: Name, perSecond: number): Failures {
    const nowMs = this.#nowMs();
    const failures = all.get(name) ?? { count: 0, atMs: nowMs, underWay: new Set<string>() };
    failures.count = Math.max(0, failures.count - ((nowMs - failures.atMs) / 1_000) * perSecond);
    failures.atMs = nowMs;
    return failures;
  }
}

function tooMany(where: string, perSecond: number): CmdopError {
  return new CmdopError(
    "LimitExceeded",
    `Too many logins ${where} have failed; this one was not looked at.`,
    {
      next: `Correct what is wrong with the key or the clock, then wait: ${perSecond} are forgiven a second.`,
    },
  );
}
