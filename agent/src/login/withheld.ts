import { isModelKey } from "../loop/model-environment.ts";

/**
 * True if a variable is the agent's own, or holds a key of its models: no job gets it from the machine, even
 * if a rule names it.
 */
export function isWithheld(name: string): boolean {
  return /^CMDOP_/i.test(name) || isModelKey(name);
}

/** Returns the variables that a job may have. */
export function withoutWithheld(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !isWithheld(name)));
}
