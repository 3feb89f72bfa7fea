export interface Sample {
  /** seconds since the beginning */
  readonly at: number;
  readonly value: number;
}

/** How much a series rises or falls in an hour: least squares (https://en.wikipedia.org/wiki/Simple_linear_regression). */
export function slopePerHour(samples: readonly Sample[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [at, value] = [mean(samples.map((one) => one.at)), mean(samples.map((one) => one.value))];
  let up = 0;
  let across = 0;
  for (const one of samples) {
    up += (one.at - at) * (one.value - value);
    across += (one.at - at) ** 2;
  }
  return across === 0 ? 0 : (up / across) * 3_600;
}
