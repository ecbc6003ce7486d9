/** What a ratio should come to. */
export type Aim = { readonly atMost: number } | { readonly atLeast: number };

/** One thing measured, ours beside theirs. */
export interface Row {
  /** What was done: `exec true, relay, p50`. */
  readonly name: string;
  readonly unit: "ms" | "calls/s" | "MB/s" | "MiB" | "KiB" | "MiB/min" | "/min" | "";
  readonly ours: number;
  /** The peer's figure for the same thing, or why there is none. */
  readonly theirs: number | string | null;
  /** What the ratio ours / theirs should come to, where there is an aim. */
  readonly aim?: Aim;
}

/** What a suite may use. */
export interface BenchContext {
  /** Says on stderr what is being measured now. */
  readonly progress: (what: string) => void;
  /** A directory of the suite's own, removed when it is over. */
  readonly directory: string;
  /** How long a suite goes on that has no other end. */
  readonly minutes: number;
}

/** A named set of measurements. It starts what it needs and leaves nothing behind. */
export interface Suite {
  readonly name: string;
  readonly about: string;
  /** True for what takes too long to be among those that run when none is named. */
  readonly onlyWhenNamed?: boolean | undefined;
  readonly run: (context: BenchContext) => Promise<Row[]>;
}

/** ours / theirs, where both are numbers. */
export function ratioOf({ ours, theirs }: Pick<Row, "ours" | "theirs">): number | null {
  return typeof theirs === "number" && theirs > 0 ? ours / theirs : null;
}

/** Whether a row reaches its aim; null where it has none, or nothing to compare with. */
export function meetsAim(row: Row): boolean | null {
  const ratio = ratioOf(row);
  if (ratio === null || row.aim === undefined) return null;
  return "atMost" in row.aim ? ratio <= row.aim.atMost : ratio >= row.aim.atLeast;
}
