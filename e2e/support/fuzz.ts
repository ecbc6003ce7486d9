import fc from "fast-check";
import { SEED } from "./random.ts";

/** Cases of all targets together: 5,000 unless CMDOP_TEST_FUZZ says otherwise. */
export const FUZZ_CASES = Number(process.env.CMDOP_TEST_FUZZ ?? 2_000);

/** What a case may take on a loaded machine, in milliseconds. */
const MS_PER_CASE = 60;

/** The limits of one target that gets this share of all cases; the seed of a failed run repeats it as CMDOP_TEST_SEED. */
export function fuzzing(share: number): { cases: number; timeout: number; title: string } {
  const cases = Math.ceil(FUZZ_CASES * share);
  return {
    cases,
    timeout: 60_000 + cases * MS_PER_CASE,
    title: `${cases} cases, CMDOP_TEST_SEED=${SEED}`,
  };
}

/** Runs a property over so many cases, one after the other. */
export function fuzz<T>(
  cases: number,
  inputs: fc.Arbitrary<T>,
  property: (input: T) => Promise<void>,
): Promise<void> {
  return fc.assert(fc.asyncProperty(inputs, property), {
    numRuns: cases,
    seed: SEED | 0,
    // Shrinking a case that talks to a process can take hours; the seed repeats it as it was.
    endOnFailure: cases > 5_000,
  });
}
