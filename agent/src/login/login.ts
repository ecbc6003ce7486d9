import type { Environment } from "../jobs/process/environment.ts";
import { PLAIN_SHELLS, type ShellRules } from "./line-shell.ts";

/** The shell and environment with which a job starts, as after a login of its user. */
export interface Login extends ShellRules {
  /** The whole environment, without the caller's additions. */
  readonly environment: Environment;
  /** The part of it that the agent alone determines, safe for a program that is still root. */
  readonly trusted: Environment;
}

/** Returns a login for jobs without a policy: nothing comes from the system's files. */
export function plainLogin(environment: Environment): Login {
  const { SHELL = PLAIN_SHELLS.shell } = environment;
  return { ...PLAIN_SHELLS, shell: SHELL, environment, trusted: environment };
}
