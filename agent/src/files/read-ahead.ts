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
