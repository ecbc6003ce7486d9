/** Gives items as they come, and lets the next be made while one is used. */
export async function* readAhead<T>(items: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = items.next();
  try {
    for (;;) {
      const { value, done } = await next;
      if (done === true) return;
      next = items.next();
      yield value;
    }
  } finally {
    // Who left early does not want to know how the one that was being made ended.
    next.catch(() => undefined);
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
