import { within } from "@cmdop/kit";
import type { CmdopError } from "@cmdop/proto";
import { Shares } from "../shares/shares.ts";
import { endOf, isNewer, type Standing, type Statements } from "./standing.ts";

/**
 * Calls that are open at once, at all doors: some kilobytes each. The relay's limits, and those on streams of
 * a connection, apply earlier.
 */
const MAX_OPEN_CALLS = 20_000;

/** An admitted call, until it ends. */
export interface OpenCall {
  /** Aborts, with a CmdopError as reason, when the right of the calling key ends. */
  readonly revoked: AbortSignal;
  /**
   * Sets the check for a changed policy: it returns the reason why the call must end; undefined if it may go
   * on.
   */
  judgedBy(judge: () => CmdopError | undefined): void;
  /** Removes the call; further calls do nothing. */
  leave(): void;
}

interface Entry {
  /** Undefined for a caller of the local socket without a token, whose right nobody can revoke. */
  readonly standing: Standing | undefined;
  readonly place: Disposable;
  readonly revoking: AbortController;
  judge: () => CmdopError | undefined;
}

/**
 * Every open call on this machine, with the right that it came with. `check` ends the calls whose key was
 * revoked, whose grant has ended or was signed by a former owner, or whose grant no longer includes this
 * machine.
 */
export class OpenCalls {
  readonly #keys = new Map<string, Set<Entry>>();
  readonly #places = new Shares({
    capacity: MAX_OPEN_CALLS,
    what: "open calls",
    next: "End some (each stream that is followed is a call), or try again a little later.",
  });
  readonly #emptied = new Set<() => void>();

  /** Number of open calls. */
  get size(): number {
    return this.#places.used;
  }

  /** Admits a call. @throws CmdopError LimitExceeded */
  enter(keyId: string, standing: Standing | undefined): OpenCall {
    const place = this.#places.take(keyId);
    const ofKey = this.#keys.get(keyId) ?? new Set();
    const entry: Entry = { standing, place, revoking: new AbortController(), judge: () => undefined };
    this.#keys.set(keyId, ofKey.add(entry));
    return {
      revoked: entry.revoking.signal,
      judgedBy: (judge) => {
        entry.judge = judge;
      },
      leave: () => this.#leave(keyId, ofKey, entry),
    };
  }

  /** Returns the newest right among the open calls of this key. */
  standingOf(keyId: string): Standing | undefined {
    let newest: Standing | undefined;
    for (const { standing } of this.#keys.get(keyId) ?? [])
      if (standing !== undefined && isNewer(standing, newest)) newest = standing;
    return newest;
  }

  /** Ends the calls whose right has ended. */
  check(statements: Statements): void {
    // Calls of one key mostly share a right, so each right is checked once.
    const ends = new Map<Standing, CmdopError | undefined>();
    for (const ofKey of [...this.#keys.values()]) {
      for (const { standing, revoking } of [...ofKey]) {
        if (standing === undefined || revoking.signal.aborted) continue;
        if (!ends.has(standing)) ends.set(standing, endOf(standing, statements));
        const end = ends.get(standing);
        if (end !== undefined) revoking.abort(end);
      }
    }
  }

  /** Ends the calls that the policy would no longer admit. */
  judge(): void {
    for (const ofKey of [...this.#keys.values()]) {
      for (const { revoking, judge } of [...ofKey]) {
        const end = revoking.signal.aborted ? undefined : judge();
        if (end !== undefined) revoking.abort(end);
      }
    }
  }

  /** Waits until no call is open, for `timeoutMs` at most. */
  async drained(timeoutMs: number): Promise<void> {
    if (this.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#emptied.add(resolve);
    await within(promise, timeoutMs);
    this.#emptied.delete(resolve);
  }

  #leave(keyId: string, ofKey: Set<Entry>, entry: Entry): void {
    if (!ofKey.delete(entry)) return;
    entry.place[Symbol.dispose]();
    if (ofKey.size === 0) this.#keys.delete(keyId);
    if (this.size === 0) for (const tell of [...this.#emptied]) tell();
  }
}
