/** What the promise gives, or undefined where it takes longer; then it is left to itself. */
export async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(late.resolve, timeoutMs, undefined);
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}
