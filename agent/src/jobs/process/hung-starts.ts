/** Starts of one key that hang in the kernel: each is a small process that nothing can end before its mount answers. */
const MAX_HUNG_PER_KEY = 64;

/** Those of all keys. */
const MAX_HUNG = 512;

/**
 * Starts that were given up, and whose process is killed but does not go: the file
 * system that it waits for has the request and does not answer. Bounded, so
 * that what is started again and again on a dead mount does not fill the machine.
 */
export class HungStarts {
  readonly #ofKey = new Map<string, number>();
  #total = 0;

  /** Why the key may start nothing for now; undefined where it may. */
  refusal(keyId: string): string | undefined {
    const ofKey = this.#ofKey.get(keyId) ?? 0;
    if (ofKey < MAX_HUNG_PER_KEY && this.#total < MAX_HUNG) return undefined;
    return `It was not started: ${ofKey} commands of this key (${this.#total} of all) hang on file systems that do not answer, which is the limit. Have the mount repaired, or let go of with umount -f or -l.`;
  }

  /** Counts one until its process is gone. */
  add(keyId: string, gone: Promise<unknown>): void {
    this.#count(keyId, 1);
    void gone.then(() => this.#count(keyId, -1));
  }

  #count(keyId: string, change: 1 | -1): void {
    const ofKey = (this.#ofKey.get(keyId) ?? 0) + change;
    if (ofKey === 0) this.#ofKey.delete(keyId);
    else this.#ofKey.set(keyId, ofKey);
    this.#total += change;
  }
}
