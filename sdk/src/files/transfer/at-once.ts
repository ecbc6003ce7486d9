/**
 * Works on all items, `count` at a time. The first failure stops it; it throws when the work under way has
 * ended too.
 */
export async function atOnce<T>(
  items: readonly T[],
  count: number,
  work: (item: T, over: AbortSignal) => Promise<void>,
): Promise<void> {
  const over = new AbortController();
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (over.signal.aborted) return;
      try {
        await work(item, over.signal);
      } catch (thrown) {
        over.abort(thrown);
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, worker));
  if (over.signal.aborted) throw over.signal.reason;
}
