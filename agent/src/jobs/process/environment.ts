import { type Account, accountOfProcess } from "../../login/passwd.ts";

/** Carries the job's mark into everything that it starts: what has left its process group and session is found by it. */
export const JOB_MARK_VARIABLE = "CMDOP_JOB_MARK";

/**
 * What a job gets of the agent's own environment, and nothing else: the agent's
 * may hold keys. No TERM: an exec has no terminal, as with `ssh host command`.
 */
const ALLOWED = /^(PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_[A-Z_]+|TZ|TMPDIR)$/;

/** Where the agent was started without a PATH, as some init systems do. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export type Environment = Readonly<Record<string, string>>;

/** The environment that every job begins with: what is safe of the agent's own, and who the user is. */
export function baseEnvironment(
  own: NodeJS.ProcessEnv = process.env,
  { name, home, shell }: Account = accountOfProcess(),
): Environment {
  const allowed = Object.entries(own).filter(([name, value]) => ALLOWED.test(name) && value !== undefined);
  return {
    PATH: DEFAULT_PATH,
    HOME: home,
    USER: name,
    LOGNAME: name,
    ...Object.fromEntries(allowed),
    SHELL: shell,
  };
}
