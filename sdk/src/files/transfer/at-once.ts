/** Works on all items, so many at once; the first failure ends it, when what is under way has ended too. */
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
