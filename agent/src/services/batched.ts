import { within } from "@cmdop/kit";

/** Most bytes of a batch: enough for a message to be efficient, and far below a message's limit. */
const MAX_BATCH_BYTES = 128 * 1024;

/** Longest wait of an item for others, in milliseconds. */
const MAX_WAIT_MS = 100;

/**
 * Groups items into batches by their bytes on the wire. No item waits longer than MAX_WAIT_MS. A single item
 * may be larger than a batch.
 */
export async function* batched<T>(
  items: AsyncIterable<T>,
  bytesOf: (item: T) => number,
): AsyncGenerator<T[]> {
  const iterator = items[Symbol.asyncIterator]();
  // Never rejects, because it may fail while nobody awaits it.
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
