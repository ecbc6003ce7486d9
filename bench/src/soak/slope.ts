/** A value at a time, in minutes. */
export interface Sample {
  readonly atMin: number;
  readonly value: number;
}

/** What a value gains a minute: the straight line that fits best (least squares). 0 where there is no line. */
export function slope(samples: readonly Sample[]): number {
  const count = samples.length;
  const meanAt = samples.reduce((sum, { atMin }) => sum + atMin, 0) / count;
  const meanValue = samples.reduce((sum, { value }) => sum + value, 0) / count;
  let covariance = 0;
  let variance = 0;
  for (const { atMin, value } of samples) {
    covariance += (atMin - meanAt) * (value - meanValue);
    variance += (atMin - meanAt) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}
