import type { Membership } from "../state/membership.ts";
import type { Statements } from "./standing.ts";

/** Interval between two checks, in milliseconds: an expired right ends within a second. */
const CHECK_MS = 500;

/** A collection of things that must end when a right does. */
export interface Watched {
  check(statements: Statements): void;
}

/** Checks at every change of the owner's statements, and at intervals; the returned function stops that. */
export function watchStandings(membership: Membership, watched: readonly Watched[]): () => void {
  const check = (): void => {
    // Read the clock even if nothing is open: a jump is found by frequent readings.
    membership.clock.steadyS();
    for (const each of watched) each.check(membership);
  };
  const stopListening = membership.onChange(check);
  const timer = setInterval(check, CHECK_MS).unref();
  return () => {
    stopListening();
    clearInterval(timer);
  };
}
