import type { ExecCommand } from "@cmdop/sdk";
import type { Command } from "commander";
import { collectPairs, splitAtDashes } from "../console/arguments.ts";
import { parseDuration } from "../console/duration.ts";
import { ExitWith, usageError } from "../console/exit.ts";
import { pathOf, wordOf } from "../console/raw-arguments.ts";

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

export function registerExec(program: Command): void {
  program
    .command("exec")
    .description("run a command on a machine; ends with the command's exit code")
    .usage('[options] MACHINE "line" | MACHINE -- PROGRAM [ARGUMENT...]')
    .argument("<machine>", "id or name of the machine; may be left out where CMDOP_MACHINE is set")
    .argument("[command...]", 'one "line" for the shell, or after -- a program and its arguments')
    .option("--cwd <directory>", "working directory on the machine")
    .option("--env <key=value>", "environment variable; may be repeated", collectPairs)
    .option("--timeout <duration>", "end the command after this time: 30s, 5m", parseDuration)
    .option("-n, --no-stdin", "do not pass standard input on")
    .option("-d, --detach", "start it, print its job id and leave; it gets no standard input")
    .option("--shell <shell>", "shell of the line: an absolute path, or sh, bash, zsh, ksh, dash, ash")
    .option("--login", "begin with what the user's profile sets, as an interactive login does")
    .option("--no-login", "do not, where the machine's policy says so")
    .option("--json", "one line of JSON at the end, with all that there is to know, instead of the output")
    .addHelpText(
      "after",
      `
Examples:
  cmdop exec web-1 "df -h | tail -1"
  cmdop exec web-1 -- systemctl restart app
  cmdop exec web-1 --login "node --version"      with what nvm, pyenv or cargo add to PATH
  tar c . | cmdop exec web-1 "tar x -C /srv/app"
  cmdop exec web-1 --detach "make -j8"      then cmdop logs web-1 JOB --follow

A line runs in the login shell of the user that jobs run as, where that is bash, zsh, ksh,
dash or ash, else in /bin/sh. What comes after -- goes to the program as it is, options too.
Ctrl-C ends the command on the machine and waits for its end. A lost link does not touch
it: cmdop says so, reconnects and carries on where it was.

Exit codes: the command's own; 128 + N when signal N ended it; 124 when it ran into
--timeout; 127 when the program could not be started; 130 when it was canceled; 255 when
cmdop itself failed or the outcome is unknown.`,
    )
    .action(async (first: string, rest: string[], options: ExecCommandOptions) => {
      const { machine, command } = target([first, ...rest], process.argv);
      const { runDetached, runExec } = await import("./run-exec.ts");
      const { cwd, env, timeout, stdin, detach, shell, login, json = false } = options;
      if (json && detach)
        throw usageError(
          "--json tells a command's end, and --detach does not wait for it.",
          "Leave one out.",
        );
      const timeoutMs = timeout === undefined ? undefined : timeout * 1000;
      const execOptions = { cwd: cwd === undefined ? undefined : pathOf(cwd), env, timeoutMs, shell, login };
      throw new ExitWith(
        detach
          ? await runDetached(machine, command, execOptions)
          : await runExec(machine, command, execOptions, { passStdin: stdin, json }),
      );
    });
}

/** Tells machine, line and argv apart. */
function target(
  words: readonly string[],
  argv: readonly string[],
): { machine: string; command: ExecCommand } {
  const { before, behind: program } = splitAtDashes(words, argv);
  const own = process.env.CMDOP_MACHINE;
  const isNamed = before.length === (program === undefined ? 2 : 1);
  const machine = isNamed ? before[0] : own;
  const line = isNamed ? before[1] : before[0];
  const tooMany = before.length > (program === undefined ? 2 : 1);
  if (tooMany)
    throw usageError(
      "a command of several words is ambiguous.",
      'Quote it for the shell ("…"), or put -- before it.',
    );
  if (machine === undefined || machine === "") {
    throw usageError(
      "a machine and a command are needed.",
      'Say cmdop exec MACHINE "line", or set CMDOP_MACHINE.',
    );
  }
  if (program !== undefined && program.length > 0) return { machine, command: program.map(wordOf) };
  if (line === undefined) throw usageError("the command is missing.", 'Say cmdop exec MACHINE "line".');
  return { machine, command: wordOf(line) };
}
