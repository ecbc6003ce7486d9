/** The value below which this share (0 to 1) of the samples lies: nearest rank. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = Math.max(0, Math.ceil(share * sorted.length) - 1);
  const value = sorted[rank];
  if (value === undefined) throw new RangeError("no samples");
  return value;
}

/** How long each of `count` calls took, one after the other, in milliseconds; the first `warmUp` don't count. */
export async function latencies(
  call: () => Promise<unknown>,
  { count, warmUp }: { count: number; warmUp: number },
): Promise<number[]> {
  for (let index = 0; index < warmUp; index++) await call();
  const samples: number[] = [];
  for (let index = 0; index < count; index++) {
    const startedAt = performance.now();
    await call();
    samples.push(performance.now() - startedAt);
  }
  return samples;
}

/** Calls a second while `inFlight` callers each make one after the other, `count` in all. */
export async function callRate(
  call: () => Promise<unknown>,
  { count, inFlight }: { count: number; inFlight: number },
): Promise<number> {
  let left = count;
  const startedAt = performance.now();
  const caller = async (): Promise<void> => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return count / ((performance.now() - startedAt) / 1000);
}
