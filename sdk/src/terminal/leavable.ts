/**
 * Wraps an async generator so that `return()` and `throw()` end a pending `next()` too; those of a plain
 * generator wait until its next yield. `leave` must make the inner generator finish.
 */
export function leavable<T>(
  inner: AsyncGenerator<T, void, void>,
  leave: () => void,
): AsyncGenerator<T, void, void> {
  return {
    next: () => inner.next(),
    return: (value) => {
      leave();
      return inner.return(value);
    },
    throw: (error) => {
      leave();
      return inner.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
    async [Symbol.asyncDispose]() {
      leave();
      await inner.return();
    },
  };
}
