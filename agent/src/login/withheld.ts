import { isModelKey } from "../loop/model-environment.ts";

/** Whether a variable is the agent's own, or holds a key of its models: no job gets it from the machine, whatever names it. */
export function isWithheld(name: string): boolean {
  return /^CMDOP_/i.test(name) || isModelKey(name);
}

/** A job's part of some variables. */
export function withoutWithheld(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => !isWithheld(name)));
}
