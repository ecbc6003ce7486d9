import { isPosixShell, lineArguments, shellNamed } from "../../login/line-shell.ts";
import { type Environment, JOB_MARK_VARIABLE } from "../process/environment.ts";
import type { Refused } from "../process/fork.ts";
import type { Start } from "../process/spawn.ts";
import type { Lost } from "../process/spawner-child.ts";
import type { JobContext } from "../work.ts";
import { type Command, workingDirectory } from "./command.ts";
import { readProfile } from "./profile.ts";

/** What a command is started as. */
export interface Beginning extends Omit<Start, "input"> {
  /** The shell that runs its line; undefined where it is no line. */
  readonly shell: string | undefined;
}

/**
 * What a command is started as, by what a login of its user gives now; where it is to read the profile, with what that
 * leaves. Never rejects.
 */
export async function beginningOf(
  command: Command,
  context: JobContext,
  signal: AbortSignal,
): Promise<Beginning | Refused | Lost> {
  const login = await context.login();
  const { run } = command;
  const own = { ...command.env, [JOB_MARK_VARIABLE]: context.trace.mark };
  const shell = shellNamed(command.shell ?? "", login);
  const readsProfile = command.login ?? login.readsProfile;
  // Profiles are written for shells like these; what they leave serves any.
  const reader = shell !== undefined && isPosixShell(shell) ? shell : login.lineShell;
  if ((shell === undefined && "shell" in run) || (reader === undefined && readsProfile)) {
    return {
      failed:
        "The machine's policy (shells) allows neither the user's own shell nor /bin/sh, so nothing could run it.",
    };
  }
  let environment: Environment = { ...login.environment, ...own };
  if (readsProfile && reader !== undefined) {
    const read = await readProfile({ shell: reader, environment, trusted: login.trusted }, context, signal);
    if (!("variables" in read)) return read;
    environment = { ...read.variables, ...own };
  }
  const isLine = "shell" in run && shell !== undefined;
  const [program = "", ...args] = isLine ? lineArguments(shell, run.shell) : "argv" in run ? run.argv : [];
  return {
    program,
    args,
    escaped: command.escaped,
    cwd: workingDirectory(command.cwd, environment.HOME ?? "/"),
    env: environment,
    trusted: login.trusted,
    shell: isLine ? shell : undefined,
  };
}
