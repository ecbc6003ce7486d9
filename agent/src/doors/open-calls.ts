import { within } from "@cmdop/kit";
import type { CmdopError } from "@cmdop/proto";
import { Shares } from "../shares/shares.ts";
import { endOf, isNewer, type Standing, type Statements } from "./standing.ts";

/** Calls that are open at once, at all doors: some kilobytes each. Relay and streams a connection bound them earlier. */
const MAX_OPEN_CALLS = 20_000;

/** A call that was let in, until it is over. */
export interface OpenCall {
  /** Aborts, with a CmdopError as reason, when the right of the calling key ends. */
  readonly revoked: AbortSignal;
  /** Says how to find out, when the machine's policy has changed, why the call may not go on; undefined where it may. */
  judgedBy(judge: () => CmdopError | undefined): void;
  /** Takes it out; once more does nothing. */
  leave(): void;
}

interface Entry {
  /** Undefined for a caller of the local socket without a token: nobody can revoke the socket's mode. */
  readonly standing: Standing | undefined;
  readonly place: Disposable;
  readonly revoking: AbortController;
  judge: () => CmdopError | undefined;
}

/**
 * Every call that is open on this machine, under the watch of the right that it
 * came with: `check` ends those whose key was revoked, whose grant has ended or
 * was signed by a former owner, or whose grant no longer reaches this machine.
 */
export class OpenCalls {
  readonly #keys = new Map<string, Set<Entry>>();
  readonly #places = new Shares({
    capacity: MAX_OPEN_CALLS,
    what: "open calls",
    next: "End some: each stream that is followed is a call. Or try again a little later.",
  });
  readonly #emptied = new Set<() => void>();

  /** How many are open. */
  get size(): number {
    return this.#places.used;
  }

  /** Lets a call in. @throws CmdopError LimitExceeded */
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

  /** The newest right that open calls of this key came with. */
  standingOf(keyId: string): Standing | undefined {
    let newest: Standing | undefined;
    for (const { standing } of this.#keys.get(keyId) ?? [])
      if (standing !== undefined && isNewer(standing, newest)) newest = standing;
    return newest;
  }

  /** Ends the calls whose right has ended. */
  check(statements: Statements): void {
    // Calls of one key mostly share a right.
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

  /** Ends the calls that the policy would not let in any more. */
  judge(): void {
    for (const ofKey of [...this.#keys.values()]) {
      for (const { revoking, judge } of [...ofKey]) {
        const end = revoking.signal.aborted ? undefined : judge();
        if (end !== undefined) revoking.abort(end);
      }
    }
  }

  /** Resolves when no call is open any more, or the time is over. */
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
