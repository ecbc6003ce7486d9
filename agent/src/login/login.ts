import type { Environment } from "../jobs/process/environment.ts";
import { PLAIN_SHELLS, type ShellRules } from "./line-shell.ts";

/** What a job of the machine begins with: what a login of its user would give. */
export interface Login extends ShellRules {
  /** Its whole environment, before what its caller adds. */
  readonly environment: Environment;
  /** The part of it in which nobody but the agent has a say: a program that is still root may have it. */
  readonly trusted: Environment;
}

/** A login as it is for whoever runs jobs without a policy: nothing of the system's. */
export function plainLogin(environment: Environment): Login {
  const { SHELL = PLAIN_SHELLS.shell } = environment;
  return { ...PLAIN_SHELLS, shell: SHELL, environment, trusted: environment };
}
