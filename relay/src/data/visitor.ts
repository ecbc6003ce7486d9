import type { KeyId } from "@cmdop/proto";
import { addressGroup } from "./address-group.ts";

/** Keys that are remembered as proven on one connection: programs share connections between their clients, each with a key. */
const MAX_PROVEN_KEYS = 64;

/**
 * What a connection has shown of itself so far. Addresses are shared, by offices
 * and by carriers; connections are not. So what others at the same address do
 * counts only for a connection that has failed itself.
 */
export class Visitor {
  /** What counts as its address. */
  readonly group: string;
  readonly #proven = new Set<KeyId>();
  #hasFailed = false;
  #look: PromiseWithResolvers<void> | undefined;

  /** `address`: where the connection comes from. */
  constructor(address: string) {
    this.group = addressGroup(address);
  }

  /** Whether this key has shown a good token here. */
  hasProven(keyId: KeyId): boolean {
    return this.#proven.has(keyId);
  }

  proves(keyId: KeyId): void {
    if (this.#proven.size < MAX_PROVEN_KEYS) this.#proven.add(keyId);
  }

  /** Whether no login has failed here that its own key can't be held to account for. */
  get isClean(): boolean {
    return !this.#hasFailed;
  }

  /** Resolves when the login that is looked at here unasked is decided; undefined where there is none. */
  get looking(): Promise<void> | undefined {
    return this.#look?.promise;
  }

  /** Begins to look at a login unasked: one at a time. Call what it returns with the result. */
  look(): (isGood: boolean) => void {
    const look = Promise.withResolvers<void>();
    this.#look = look;
    return (isGood) => {
      if (!isGood) this.#hasFailed = true;
      if (this.#look === look) this.#look = undefined;
      look.resolve();
    };
  }
}
