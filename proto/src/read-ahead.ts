/** Gives items as they come, and lets the next be made while one is used. */
export async function* readAhead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  const begin = (): Promise<IteratorResult<T>> => {
    const making = items.next();
    // Its failure is told when its turn comes; until then it is nobody's, and that must not end the process.
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
 * Two buffers in turn: one is read into while the other is used. What is given
 * out belongs to its user until the one after next is asked for.
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
