import { METHODS, methodRule, RELAY_SERVICES_PREFIX, SCOPES } from "@cmdop/proto";

/**
 * Methods that never wait for a person: those that look at the machine, those that answer waiting calls, and
 * those that act on a running job. A person who lets a session, or a command with open input, run also lets
 * its caller type into it: a question for each keystroke would say nothing, because nobody could tell what
 * they add up to. A method that is not listed here can be asked about, which is the safe default for a new
 * one.
 */
const NEVER_ASKED =
  /^\/cmdop\.v1\.(?:Machine\/|Approvals\/|Jobs\/|Agent\/(?:Attach|Cancel|Approve)$|Sessions\/(?:Resize|Screen|History)$)/;

/** Methods whose calls a policy can let wait for a person. */
const ASKABLE_METHODS = Object.keys(METHODS).filter(
  (method) => !method.startsWith(RELAY_SERVICES_PREFIX) && !NEVER_ASKED.test(method),
);

/** Scopes that those methods need. */
const ASKABLE_SCOPES = SCOPES.filter((scope) =>
  ASKABLE_METHODS.some((method) => methodRule(method)?.scopes.includes(scope) === true),
);

/** Values that the field `ask` of a policy may have. */
export const ASKABLE: readonly string[] = [...ASKABLE_SCOPES, ...ASKABLE_METHODS];

/** Returns the entry of `ask` that makes a call of this method wait; undefined if none does. */
export function askedBy(ask: readonly string[] | undefined, method: string): string | undefined {
  if (ask === undefined || !ASKABLE_METHODS.includes(method)) return undefined;
  const scopes: readonly string[] = methodRule(method)?.scopes ?? [];
  return ask.find((entry) => entry === method || scopes.includes(entry));
}
