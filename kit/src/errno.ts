/** The system's name of an error, such as ENOENT; undefined for an error that is not the system's. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown) || typeof thrown.code !== "string") return undefined;
  return /^E(?:AI_)?[A-Z0-9]+$/.test(thrown.code) ? thrown.code : undefined;
}

/** Whether the system failed with one of these. */
export function isErrno(thrown: unknown, ...errnos: readonly string[]): boolean {
  const errno = errnoOf(thrown);
  return errno !== undefined && errnos.includes(errno);
}

/** The value of a promise, or undefined where it failed with one of these errnos. Throws its other errors. */
export async function unless<T>(errnos: readonly string[], promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (thrown) {
    if (isErrno(thrown, ...errnos)) return undefined;
    throw thrown;
  }
}

/** What a synchronous call gives, or undefined where it fails with one of these errnos. Throws its other errors. */
export function unlessSync<T>(errnos: readonly string[], call: () => T): T | undefined {
  try {
    return call();
  } catch (thrown) {
    if (isErrno(thrown, ...errnos)) return undefined;
    throw thrown;
  }
}
