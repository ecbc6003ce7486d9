import type { Environment } from "./environment.ts";
import { JOB_ID_VARIABLE } from "./environment.ts";
import type { Program } from "./start-process.ts";

/** A user that jobs run as, other than the agent's own, which is root then. */
export interface JobUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
  /** The absolute path of util-linux' setpriv. */
  readonly setpriv: string;
}

/** What a variable is called until the user's own shell gives it its name. */
const HIDDEN_PREFIX = "CMDOP_ENV_";
const HIDDEN_CWD = "CMDOP_CWD";

/** What a shell can export. */
const EXPORTABLE = /^[A-Za-z_]\w*$/;

/** The environment that jobs of a user begin with. A TMPDIR of the agent's may be closed to others. */
export function environmentOf(user: JobUser | undefined, environment: Environment): Environment {
  if (user === undefined) return environment;
  const { TMPDIR: _, ...rest } = environment;
  return { ...rest, HOME: user.home, USER: user.name, LOGNAME: user.name, SHELL: user.shell };
}

/**
 * How a program is started as another user, with that user's groups; Node's own
 * `uid` would drop these. `trusted` is the environment that the agent made.
 *
 * setpriv is still root when it begins, and the loader does what LD_PRELOAD and
 * others say. So whatever the caller has set travels under another name, and a
 * shell that is the user already gives it its own; the values stay out of
 * argv, which everybody on the machine can read. For the same reason that shell
 * enters the directory: what the user may not enter, the job does not.
 * @throws Error where a variable has a name that no shell can export
 */
export function runAs(user: JobUser, { program, args, cwd, env }: Program, trusted: Environment): Program {
  const drop = [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--"];
  const own = Object.entries(env).filter(
    ([name, value]) => name === JOB_ID_VARIABLE || trusted[name] === value,
  );
  const asked = Object.entries(env).filter(
    ([name, value]) => name !== JOB_ID_VARIABLE && trusted[name] !== value,
  );
  const strange = asked.find(([name]) => !EXPORTABLE.test(name));
  if (strange !== undefined) {
    throw new Error(
      `jobs run as ${user.name} here, and the variable ${JSON.stringify(strange[0])} can't be handed on: use letters, digits and _`,
    );
  }
  const script = [
    `cd -- "$${HIDDEN_CWD}" || exit 126`,
    `unset ${HIDDEN_CWD}`,
    ...asked.map(([name]) => `export ${name}="$${HIDDEN_PREFIX}${name}"; unset ${HIDDEN_PREFIX}${name}`),
    'exec "$@"',
  ];
  return {
    program: user.setpriv,
    args: [...drop, "/bin/sh", "-c", script.join("\n"), "cmdop", program, ...args],
    cwd: "/",
    env: {
      ...Object.fromEntries(own),
      [HIDDEN_CWD]: cwd,
      ...Object.fromEntries(asked.map(([name, value]) => [HIDDEN_PREFIX + name, value])),
    },
  };
}
