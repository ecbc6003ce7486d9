import { METHODS, methodRule, RELAY_SERVICES_PREFIX, SCOPES } from "@cmdop/proto";

/**
 * What never waits for a person: looking at the machine, answering those who
 * wait, and everything that is done to a job that runs. Who lets a session or a
 * command with open input run lets its caller type into it; a question for each
 * keystroke would tell nothing, since no person could say what they add up to.
 * A method that is not named here can be asked for: the safe way for a new one.
 */
const NEVER_ASKED =
  /^\/cmdop\.v1\.(?:Machine\/|Approvals\/|Jobs\/|Agent\/(?:Attach|Cancel|Approve)$|Sessions\/(?:Resize|Screen|History)$)/;

/** The methods that a policy can let wait. */
const ASKABLE_METHODS = Object.keys(METHODS).filter(
  (method) => !method.startsWith(RELAY_SERVICES_PREFIX) && !NEVER_ASKED.test(method),
);

/** The scopes that such methods need. */
const ASKABLE_SCOPES = SCOPES.filter((scope) =>
  ASKABLE_METHODS.some((method) => methodRule(method)?.scopes.includes(scope) === true),
);

/** What the field `ask` of a policy may name. */
export const ASKABLE: readonly string[] = [...ASKABLE_SCOPES, ...ASKABLE_METHODS];

/** The entry of `ask` by which a call of this method waits; undefined where none does. */
export function askedBy(ask: readonly string[] | undefined, method: string): string | undefined {
  if (ask === undefined || !ASKABLE_METHODS.includes(method)) return undefined;
  const scopes: readonly string[] = methodRule(method)?.scopes ?? [];
  return ask.find((entry) => entry === method || scopes.includes(entry));
}
