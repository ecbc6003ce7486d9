import type { Place } from "../place/resolve.ts";

/** The last commit that waits for each name; a name is in it only while somebody works on it. */
const lastTurns = new Map<string, Promise<void>>();

/**
 * Runs a piece of work on a name while no other call of this agent commits to
 * the same name: what a condition was found to be then still holds when the
 * change is made. The directory is known by what it is, not by how it was named.
 */
export async function inTurn<T>({ directory, name }: Place, work: () => Promise<T>): Promise<T> {
  const key = `${directory.stats.dev}:${directory.stats.ino}/${name}`;
  const before = lastTurns.get(key);
  const { promise, resolve } = Promise.withResolvers<void>();
  lastTurns.set(key, promise);
  try {
    await before;
    return await work();
  } finally {
    if (lastTurns.get(key) === promise) lastTurns.delete(key);
    resolve();
  }
}
