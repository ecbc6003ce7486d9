import type { Account } from "../../login/passwd.ts";
import type { Environment } from "./environment.ts";

/** A user that jobs run as, other than the agent's own, which is root then. */
export interface JobUser extends Account {
  /** The absolute path of util-linux' setpriv. */
  readonly setpriv: string;
}

/** The environment that jobs of a user begin with. A TMPDIR of the agent's may be closed to others. */
export function environmentOf(user: JobUser | undefined, environment: Environment): Environment {
  if (user === undefined) return environment;
  const { TMPDIR: _, ...rest } = environment;
  return { ...rest, HOME: user.home, USER: user.name, LOGNAME: user.name, SHELL: user.shell };
}
