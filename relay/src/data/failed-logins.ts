import { CmdopError, type KeyId } from "@cmdop/proto";
import { addressGroup } from "./address-group.ts";

/** How many logins may fail. */
export interface LoginBounds {
  /** Failures of one address (one /64 of IPv6) at once, and how many are forgiven a second. */
  readonly failuresPerAddress: number;
  readonly forgivenPerAddressPerSecond: number;
  /** The same of one key id that is claimed, from wherever. */
  readonly failuresPerKey: number;
  readonly forgivenPerKeyPerSecond: number;
  /** Addresses, and key ids, that are remembered: 200 bytes each. Beyond it the one that failed least recently is forgotten. */
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
 * Bounds failed logins by address and by claimed key. A key id is no secret, so
 * failures in its name must not lock its holder out: what they use up closes
 * the key only to addresses that have failed themselves; any other may still
 * show a good token. Times are milliseconds of a clock that never goes back.
 */
export class FailedLogins {
  readonly #bounds: LoginBounds;
  readonly #nowMs: () => number;
  readonly #addresses = new Map<string, Failures>();
  readonly #keys = new Map<KeyId, Failures>();

  constructor(bounds: Partial<LoginBounds> = {}, nowMs: () => number = () => performance.now()) {
    this.#bounds = { ...DEFAULT_LOGIN_BOUNDS, ...bounds };
    this.#nowMs = nowMs;
  }

  /** How many addresses and keys are remembered. */
  get size(): number {
    return this.#addresses.size + this.#keys.size;
  }

  /**
   * Lets a login be checked. `token`: what tells it from others; calls that
   * arrive together with the same one count once. @throws CmdopError LimitExceeded
   */
  attempt(address: string, keyId: KeyId | undefined, token: string): LoginAttempt {
    const { failuresPerAddress, forgivenPerAddressPerSecond } = this.#bounds;
    const { failuresPerKey, forgivenPerKeyPerSecond } = this.#bounds;
    const group = addressGroup(address);
    const here = this.#forgive(this.#addresses, group, forgivenPerAddressPerSecond);
    const claimed =
      keyId === undefined ? undefined : this.#forgive(this.#keys, keyId, forgivenPerKeyPerSecond);
    const isNew = !here.underWay.has(token);
    if (isNew && here.count + here.underWay.size >= failuresPerAddress) {
      throw tooMany("from this address", forgivenPerAddressPerSecond);
    }
    if (isNew && claimed !== undefined && claimed.count >= failuresPerKey && here.count > 0) {
      throw tooMany("in the name of this key", forgivenPerKeyPerSecond);
    }
    here.underWay.add(token);
    this.#remember(this.#addresses, group, here);
    return {
      passed: () => {
        here.underWay.delete(token);
        const isClean = here.count === 0 && here.underWay.size === 0;
        if (isClean && this.#addresses.get(group) === here) this.#addresses.delete(group);
      },
      failed: (proven) => {
        if (!here.underWay.delete(token)) return;
        here.count += 1;
        this.#remember(this.#addresses, group, here);
        if (proven || keyId === undefined || claimed === undefined) return;
        const failures = this.#keys.get(keyId) ?? claimed;
        failures.count += 1;
        this.#remember(this.#keys, keyId, failures);
      },
    };
  }

  /** What is still held against one, after what time has forgiven. */
  #forgive(all: Map<string, Failures>, name: string, perSecond: number): Failures {
    const nowMs = this.#nowMs();
    const failures = all.get(name) ?? { count: 0, atMs: nowMs, underWay: new Set<string>() };
    failures.count = Math.max(0, failures.count - ((nowMs - failures.atMs) / 1_000) * perSecond);
    failures.atMs = nowMs;
    return failures;
  }

  #remember(all: Map<string, Failures>, name: string, failures: Failures): void {
    all.delete(name);
    all.set(name, failures);
    const [oldest] = all.keys();
    if (all.size > this.#bounds.remembered && oldest !== undefined) all.delete(oldest);
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
