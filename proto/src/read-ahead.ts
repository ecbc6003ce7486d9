/** Yields items in order, and starts the next one while one is in use. */
export async function* readAhead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  const begin = (): Promise<IteratorResult<T>> => {
    const making = items.next();
    // Its failure is thrown when its turn comes; until then the rejection is unhandled, which must not end
    // the process.
    void Promise.allSettled([making]);
    return making;
  };
  let next = begin();
  try {
    for (;;) {
      const { value, done } = await next;
      if (done === true) return;
      next = begin();
      yield value;
    }
  } finally {
    await items.return(undefined);
  }
}

/**
 * Returns a function that alternates between two buffers: one is filled while the other is in use. A buffer
 * is valid until the call after the next one.
 */
export function alternatingBuffers(): (bytes: number) => Buffer {
  const buffers: Buffer[] = [Buffer.alloc(0), Buffer.alloc(0)];
  let turn = 0;
  return (bytes) => {
    turn = 1 - turn;
    const kept = buffers[turn];
    if (kept !== undefined && kept.length >= bytes) return kept.subarray(0, bytes);
    const made = Buffer.allocUnsafeSlow(bytes);
    buffers[turn] = made;
    return made;
  };
}
