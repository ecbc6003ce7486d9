import { within } from "@cmdop/kit";

/** Enough for a message to be cheap, and far from what one may carry. */
const MAX_BATCH_BYTES = 128 * 1024;

/** How long something that was found waits for company, in milliseconds. */
const MAX_WAIT_MS = 100;

/** Items in batches: by their bytes on the wire, and none waits long, however rarely they come. One item alone may be larger than a batch. */
export async function* batched<T>(
  items: AsyncIterable<T>,
  bytesOf: (item: T) => number,
): AsyncGenerator<T[]> {
  const iterator = items[Symbol.asyncIterator]();
  // Never rejects: it may fail while nobody waits for it.
  const advance = () =>
    iterator.next().then(
      (result) => ({ result }),
      (thrown: unknown) => ({ thrown }),
    );
  let next = advance();
  let batch: T[] = [];
  let bytes = 0;
  let deadline = 0;
  try {
    for (;;) {
      const settled = batch.length === 0 ? await next : await within(next, deadline - performance.now());
      if (settled !== undefined && "thrown" in settled) {
        if (batch.length > 0) yield batch;
        throw settled.thrown;
      }
      if (settled?.result.done === true) break;
      if (settled !== undefined) {
        if (batch.length === 0) deadline = performance.now() + MAX_WAIT_MS;
        batch.push(settled.result.value);
        bytes += bytesOf(settled.result.value);
        next = advance();
      }
      if (bytes < MAX_BATCH_BYTES && performance.now() < deadline) continue;
      yield batch;
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) yield batch;
  } finally {
    await iterator.return?.();
  }
}
