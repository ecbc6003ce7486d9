import type { Membership } from "../state/membership.ts";
import type { Statements } from "./standing.ts";

/** Between two looks at the clock, in milliseconds: what has expired ends within a second. */
const CHECK_MS = 500;

/** Something that must end when a right does. */
export interface Watched {
  check(statements: Statements): void;
}

/** Checks at every change of the owner's statements, and as time passes; the returned function ends that. */
export function watchStandings(membership: Membership, watched: readonly Watched[]): () => void {
  const check = (): void => {
    // Also where nothing is open: a jump is found by looking often.
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
