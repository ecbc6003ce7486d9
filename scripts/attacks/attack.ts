/** One attack, and the test that shows that it is refused. */
export interface Attack {
  /** What somebody tries, in a few words. */
  readonly attack: string;
  /** The test's file. */
  readonly file: string;
  /** Its title as the source has it, or a part of it that stands nowhere else in the file. */
  readonly test: string;
}

/** By what they have in common. */
export type Attacks = Readonly<Record<string, readonly Attack[]>>;
