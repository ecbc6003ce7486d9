import { collectPairs } from "../console/arguments.ts";
import type { CliCommand } from "../console/cli-command.ts";
import { parseDuration } from "../console/duration.ts";
import { ExitWith } from "../console/exit.ts";
import { note } from "../console/output.ts";
import { pathOf } from "../console/raw-arguments.ts";
import { execTarget } from "./exec-target.ts";

interface ExecCommandOptions {
  cwd?: string;
  env?: Record<string, string>;
  timeout?: number;
  stdin: boolean;
  detach?: boolean;
  shell?: string;
  login?: boolean;
  json?: boolean;
}

export function registerExec(program: CliCommand): void {
  program
    .command("exec")
    .description("run a command on a machine; ends with the command's exit code")
    .usage("[options] MACHINE [options] COMMAND... | MACHINE -- PROGRAM [ARGUMENT...]")
    .forCommand()
    .argument("<machine>", "id or name of the machine; may be left out where CMDOP_MACHINE is set")
    .argument("[command...]", "a line for the shell, or after -- a program and its arguments")
    .option("--cwd <directory>", "working directory on the machine")
    .option("--env <key=value>", "environment variable; may be repeated", collectPairs)
    .option("--timeout <duration>", "end the command after this time: 30s, 5m", parseDuration)
    .option("-n, --no-stdin", "do not pass standard input on")
    .option("-d, --detach", "start it, print its job id and leave; it gets no standard input")
    .option("--shell <shell>", "shell of the line: an absolute path, or sh, bash, zsh, ksh, dash, ash")
    .option("--login", "begin with what the user's profile sets, as an interactive login does")
    .option("--no-login", "do not, where the machine's policy says so")
    .option(
      "--json",
      "one line of JSON at the end instead of the output: its facts, output and outcome; with --detach its jobId",
    )
    .addHelpText(
      "after",
      `
Examples:
  cmdop exec web-1 "df -h | tail -1"
  cmdop exec web-1 ls -la /srv
  cmdop exec web-1 -- systemctl restart app
  cmdop exec web-1 --login "node --version"      with what nvm, pyenv or cargo add to PATH
  tar c . | cmdop exec web-1 "tar x -C /srv/app"
  cmdop exec web-1 --detach "make -j8"      then cmdop logs web-1 JOB --follow

A line runs in the login shell of the user that jobs run as, where that is bash, zsh, ksh,
dash or ash, else in /bin/sh. As with ssh, options stand before the command, and its words are joined
with spaces into a line. After -- there is no shell: every word goes to the program as it is.
Ctrl-C ends the command on the machine and waits for its end. A lost link does not touch
it: cmdop says so, reconnects and carries on where it was.

Exit codes: the command's own; 128 + N when signal N ended it; 124 when it ran into
--timeout; 127 when the program could not be started; 130 when it was canceled; 255 when
cmdop itself failed or the outcome is unknown.`,
    )
    .action(async (first: string, rest: string[], options: ExecCommandOptions) => {
      const { machine, command, hint } = execTarget([first, ...rest], process.argv);
      if (hint !== undefined) note(hint);
      const { runDetached, runExec } = await import("./run-exec.ts");
      const { cwd, env, timeout, stdin, detach, shell, login, json = false } = options;
      const timeoutMs = timeout === undefined ? undefined : timeout * 1000;
      const execOptions = { cwd: cwd === undefined ? undefined : pathOf(cwd), env, timeoutMs, shell, login };
      throw new ExitWith(
        detach
          ? await runDetached(machine, command, execOptions, json)
          : await runExec(machine, command, execOptions, { passStdin: stdin, json }),
      );
    });
}
