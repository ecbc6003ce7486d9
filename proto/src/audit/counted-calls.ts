/**
 * Time for which calls are counted before the count is written, in milliseconds: one record of some 300 bytes
 * each time. A crash loses the count of at most this time.
 */
const WINDOW_MS = 5 * 60_000;

/**
 * Kinds of calls of one key that are counted separately at the same time; beyond it they are counted
 * together.
 */
const MAX_KINDS_EACH = 32;

/** The number of calls, and of their results. */
export interface CallTotals {
  /** Calls that have begun since the last record. */
  readonly calls: number;
  /** Calls that have ended with an error since the last record. */
  readonly failed: number;
  /** Bytes of message bodies of the calls that have ended. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** The end of one counted call. */
export interface CountedEnd {
  readonly failed: boolean;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Calls that are counted together. */
export interface CountedKind<Facts> {
  readonly name: string;
  /** The facts in its records. */
  readonly facts: Facts;
}

/** Options of the counter. */
export interface CountedCallsOptions<Facts> {
  /** Writes a count. Returns false if that is not possible now; then the counting goes on. */
  readonly write: (facts: Facts, totals: CallTotals) => boolean;
  readonly windowMs?: number | undefined;
}

interface Counted<Facts> {
  readonly who: string;
  readonly facts: Facts;
  calls: number;
  failed: number;
  bytesIn: number;
  bytesOut: number;
}

const NOTHING = { calls: 0, failed: 0, bytesIn: 0, bytesOut: 0 };

/**
 * Counts calls of keys that have used up their share of the chain, instead of recording them singly. A record
 * of the beginning is on disk before the first counted call goes on; the counts follow when the window ends.
 */
export class CountedCalls<Facts> {
  readonly #options: CountedCallsOptions<Facts>;
  readonly #counted = new Map<string, Counted<Facts>>();
  readonly #kinds = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CountedCallsOptions<Facts>) {
    this.#options = options;
  }

  /**
   * Counts a call that begins. `kind`: the calls that are counted together; `coarse` is used instead if the
   * key, `who`, has too many kinds. `writeFirst` records that such calls are counted from now on; if it
   * throws, so does `begin`, and the call must not go on. Returns a function to be called at the end of the
   * call.
   */
  begin(
    who: string,
    { kind, coarse }: { readonly kind: CountedKind<Facts>; readonly coarse: CountedKind<Facts> },
    writeFirst: (facts: Facts, totals: CallTotals) => void,
  ): (end: CountedEnd) => void {
    const isKnown = this.#counted.has(kind.name);
    const { name, facts } = isKnown || (this.#kinds.get(who) ?? 0) < MAX_KINDS_EACH ? kind : coarse;
    const counted = this.#counted.get(name);
    if (counted === undefined) {
      writeFirst(facts, { ...NOTHING, calls: 1 });
      this.#add(who, name, facts);
    } else counted.calls += 1;
    return ({ failed, bytesIn, bytesOut }) => {
      const now = this.#counted.get(name) ?? this.#add(who, name, facts);
      if (failed) now.failed += 1;
      now.bytesIn += bytesIn;
      now.bytesOut += bytesOut;
    };
  }

  /** Ends the window and writes the counts. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const all = [...this.#counted];
    this.#counted.clear();
    this.#kinds.clear();
    for (const [name, counted] of all) {
      const { who, facts, calls, failed, bytesIn, bytesOut } = counted;
      const totals = { calls, failed, bytesIn, bytesOut };
      if (calls + failed + bytesIn + bytesOut === 0 || this.#options.write(facts, totals)) continue;
      Object.assign(this.#add(who, name, facts), totals);
    }
  }

  #add(who: string, name: string, facts: Facts): Counted<Facts> {
    const counted = { who, facts, ...NOTHING };
    this.#counted.set(name, counted);
    this.#kinds.set(who, (this.#kinds.get(who) ?? 0) + 1);
    this.#timer ??= setTimeout(() => this.flush(), this.#options.windowMs ?? WINDOW_MS).unref();
    return counted;
  }
}
