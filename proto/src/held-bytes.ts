/** What holds no more than this is never dropped: it would free next to nothing, and how many there are is bounded elsewhere. */
export const MAX_SMALL_BYTES = 64 * 1024;

/** Something that can make this process hold content: a stalled call, or a request without its end. */
export interface Holder {
  /** Who pays. May become known only while it is held. */
  readonly account: string;
  /** Bytes that it makes us hold now. */
  heldBytes(): number;
  /** Whether dropping it would free anything. */
  canBeDropped(): boolean;
  /** Ends it and frees what it holds. What holds on for a while yet may be held again. */
  drop(bound: Bound): void;
}

/** The bound that a holder was dropped for. */
export type Bound = "perAccount" | "inAll";

/** What may be held. */
export interface HeldBounds {
  /** By the holders of one account, in bytes. */
  readonly perAccount: number;
  /** By all together, in bytes. */
  readonly inAll: number;
  /** Pause between two looks, in milliseconds: what a line brings meanwhile comes on top of the bounds. */
  readonly sampleIntervalMs: number;
}

interface Account {
  readonly name: string;
  bytes: number;
  /** Of them, those of what can be dropped. */
  droppableBytes: number;
  /** What can be dropped, the largest last. */
  readonly droppable: { readonly holder: Holder; readonly bytes: number }[];
}

/**
 * Bounds the content that others make this process hold. Nothing tells when a
 * stream that nobody reads has received more; so all that may hold something is
 * looked at from time to time, and whoever holds too much loses the largest of
 * it. What can't be dropped counts, but is not made up for by dropping in vain:
 * beside too much of it, what can be dropped has the same bound once more.
 * Without holders no timer runs.
 */
export class HeldBytes {
  readonly #bounds: HeldBounds;
  readonly #holders = new Set<Holder>();
  #full: ReadonlySet<string> = new Set();
  #sampling: NodeJS.Timeout | undefined;

  constructor(bounds: HeldBounds) {
    this.#bounds = bounds;
  }

  /** Watches it until it is released or dropped. */
  hold(holder: Holder): void {
    this.#holders.add(holder);
    this.#sampling ??= setInterval(() => this.#sample(), this.#bounds.sampleIntervalMs).unref();
  }

  release(holder: Holder): void {
    this.#holders.delete(holder);
  }

  /** Whether an account held too much at the last look, with nothing left to drop: it should get no more to hold. */
  isFull(account: string): boolean {
    return this.#full.has(account);
  }

  /** Stops looking. */
  close(): void {
    clearInterval(this.#sampling);
    this.#sampling = undefined;
    this.#holders.clear();
    this.#full = new Set();
  }

  #sample(): void {
    if (this.#holders.size === 0) {
      this.close();
      return;
    }
    const { perAccount, inAll } = this.#bounds;
    const accounts = this.#accounts();
    for (const account of accounts) {
      const limit = reachable(perAccount, account.bytes - account.droppableBytes);
      while (account.bytes > limit && account.droppable.length > 0) this.#drop(account, "perAccount");
    }
    // Each has its share of all: only beyond it does anyone pay for others, whoever holds most first.
    const share = inAll / accounts.length;
    const isOver = ({ bytes }: Account): boolean => bytes > share;
    const payable = accounts.filter(isOver).reduce((total, { droppableBytes }) => total + droppableBytes, 0);
    const limit = reachable(inAll, sum(accounts) - payable);
    while (sum(accounts) > limit) {
      const most = mostOf(accounts.filter((account) => isOver(account) && account.droppable.length > 0));
      if (most === undefined) break;
      this.#drop(most, "inAll");
    }
    const isUsedUp = sum(accounts) > inAll;
    const full = accounts.filter((account) => account.bytes > perAccount || (isUsedUp && isOver(account)));
    this.#full = new Set(full.map(({ name }) => name));
  }

  #accounts(): Account[] {
    const accounts = new Map<string, Account>();
    for (const holder of this.#holders) {
      const bytes = holder.heldBytes();
      if (bytes === 0) continue;
      const name = holder.account;
      const account = accounts.get(name) ?? { name, bytes: 0, droppableBytes: 0, droppable: [] };
      accounts.set(name, account);
      account.bytes += bytes;
      if (bytes <= MAX_SMALL_BYTES || !holder.canBeDropped()) continue;
      account.droppableBytes += bytes;
      account.droppable.push({ holder, bytes });
    }
    for (const { droppable } of accounts.values()) droppable.sort((a, b) => a.bytes - b.bytes);
    return [...accounts.values()];
  }

  #drop(account: Account, bound: Bound): void {
    const largest = account.droppable.pop();
    if (largest === undefined) return;
    account.bytes -= largest.bytes;
    account.droppableBytes -= largest.bytes;
    this.#holders.delete(largest.holder);
    largest.holder.drop(bound);
  }
}

/** What there may be beside so much that stays. */
function reachable(bound: number, stays: number): number {
  return stays > bound ? stays + bound : bound;
}

function sum(accounts: readonly Account[]): number {
  return accounts.reduce((total, { bytes }) => total + bytes, 0);
}

function mostOf(accounts: readonly Account[]): Account | undefined {
  return accounts.reduce<Account | undefined>(
    (most, account) => (most === undefined || account.bytes > most.bytes ? account : most),
    undefined,
  );
}
