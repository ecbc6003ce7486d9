/**
 * Holders of no more bytes than this are never dropped: it would free almost nothing, and their number is
 * bounded elsewhere.
 */
export const MAX_SMALL_BYTES = 64 * 1024;

/** Something that can make this process hold content: a stalled call, or a request without its end. */
export interface Holder {
  /** The account that pays. It may become known only while the holder is watched. */
  readonly account: string;
  /** Returns the bytes that it makes this process hold now. */
  heldBytes(): number;
  /** Returns true if dropping it would free anything. */
  canBeDropped(): boolean;
  /** Ends it and frees its bytes. If it holds some for a while longer, it may be watched again. */
  drop(bound: Bound): void;
}

/** The bound because of which a holder was dropped. */
export type Bound = "perAccount" | "inAll";

/** Bounds of held bytes. */
export interface HeldBounds {
  /** Bytes of all holders of one account. */
  readonly perAccount: number;
  /** Bytes of all holders together. */
  readonly inAll: number;
  /**
   * Pause between two checks, in milliseconds. Content that arrives in between comes on top of the bounds.
   */
  readonly sampleIntervalMs: number;
}

interface Account {
  readonly name: string;
  bytes: number;
  /** Bytes of the holders that can be dropped. */
  droppableBytes: number;
  /** Holders that can be dropped, the largest last. */
  readonly droppable: { readonly holder: Holder; readonly bytes: number }[];
}

/**
 * Limits the content that others make this process hold. No event tells when an unread stream has received
 * more, so all holders are checked at intervals, and an account that holds too much loses its largest ones.
 * Content that can't be dropped counts, but other content is not dropped in vain to make up for it: beside
 * too much of it, droppable content has the same bound once more. Without holders no timer runs.
 */
export class HeldBytes {
  readonly #bounds: HeldBounds;
  readonly #holders = new Set<Holder>();
  #full: ReadonlySet<string> = new Set();
  #sampling: NodeJS.Timeout | undefined;

  constructor(bounds: HeldBounds) {
    this.#bounds = bounds;
  }

  /** Watches a holder until it is released or dropped. */
  hold(holder: Holder): void {
    this.#holders.add(holder);
    this.#sampling ??= setInterval(() => this.#sample(), this.#bounds.sampleIntervalMs).unref();
  }

  release(holder: Holder): void {
    this.#holders.delete(holder);
  }

  /**
   * Returns true if an account held too much at the last check with nothing left to drop: it should get no
   * more.
   */
  isFull(account: string): boolean {
    return this.#full.has(account);
  }

  /** Stops the checks. */
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
    // Each account has an equal share of the whole. Only accounts beyond it pay for others, the largest
    // first.
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

/** Returns the bound that can be reached when this many bytes can't be dropped. */
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
