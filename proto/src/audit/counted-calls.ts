/** How long calls are counted before that is written down, in milliseconds: a record of some 300 bytes each time. What a crash takes with it is the count of so long. */
const WINDOW_MS = 5 * 60_000;

/** Kinds of calls that one key can have counted apart at once; beyond it they are counted together. */
const MAX_KINDS_EACH = 32;

/** How many calls there were, and how they ended. */
export interface CallTotals {
  /** Those that have begun since the record before. */
  readonly calls: number;
  /** Those that have ended since the record before with an error. */
  readonly failed: number;
  /** Bytes of message bodies of those that have ended. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** How one of them ended. */
export interface CountedEnd {
  readonly failed: boolean;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A kind of calls that are counted together. */
export interface CountedKind<Facts> {
  readonly name: string;
  /** What its records say of it. */
  readonly facts: Facts;
}

/** What the counter needs. */
export interface CountedCallsOptions<Facts> {
  /** Writes down what was counted; false where that can't be now: then it is counted on. */
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
 * Calls that are counted rather than written down one by one, since their key
 * has used up its share. That the counting begins is on disk before the first of
 * them goes on; the rest follows when the window ends.
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
   * A call begins. `kind` tells what is counted together; `coarse` stands in its
   * place where the key, `who`, has too many kinds. `writeFirst` writes down that
   * such calls are counted from now on; what it throws is thrown, and then the
   * call must not go on. Call what it returns at the end.
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

  /** Ends the window: writes what was counted. */
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
