import type { CmdopError } from "../errors/cmdop-error.ts";

/** A call that is served, as those see it who bound what calls make us hold. */
export interface ServedCall {
  /** A header's value, the first where there are several. */
  header(name: string): string | undefined;
  /** Bytes of its requests in memory: those that nobody has read yet, and those that its handler may still hold. */
  heldBytes(): number;
  /** Those of them that its handler may still hold: `drop` does not free them. */
  keptBytes(): number;
  /** Whether `drop` would free anything, and would be true: a handler that has its whole request carries it out. */
  canBeDropped(): boolean;
  /**
   * Ends it, and frees what nobody has read. A handler that does not run yet
   * never will, and the caller gets this error; of one that runs the caller hears
   * by a reset that it was broken off (see BrokenCall).
   */
  drop(error: CmdopError): void;
}

/** A call under watch. */
export interface Watch {
  /** Called before its handler runs; throws a CmdopError to refuse it. */
  begin(): void;
  /** Called when nothing of it is left. */
  end(): void;
}

/** Called with each call that arrives, from its headers on. */
export type WatchCall = (call: ServedCall) => Watch;

/** For servers whose callers are trusted with memory. */
export const unwatched: WatchCall = () => ({ begin: () => undefined, end: () => undefined });
