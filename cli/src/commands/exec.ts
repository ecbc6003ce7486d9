import type { Command } from "commander";
import { collectPairs } from "../arguments.ts";
import { parseDuration } from "../duration.ts";
import { ExitWith, usageError } from "../exit.ts";

interface ExecCommandOptions {
  cwd?: string;
  env?: Record<string, string>;
  timeout?: number;
  stdin: boolean;
}

export function registerExec(program: Command): void {
  program
    .command("exec")
    .description("run a command on a machine; ends with the command's exit code")
    .argument("<machine>", "id or name of the machine")
    .argument("<command...>", 'one "line" for the shell, or after -- a program and its arguments')
    .option("--cwd <directory>", "working directory on the machine")
    .option("--env <key=value>", "environment variable; may be repeated", collectPairs)
    .option("--timeout <duration>", "end the command after this time: 30s, 5m", parseDuration)
    .option("-n, --no-stdin", "do not pass standard input on")
    .addHelpText(
      "after",
      `
Examples:
  cmdop exec web-1 "df -h | tail -1"
  cmdop exec web-1 -- systemctl restart app
  tar c . | cmdop exec web-1 "tar x -C /srv/app"

Ctrl-C ends the command on the machine and waits for its end.

Exit codes: the command's own; 128 + N when signal N ended it; 124 when it ran into
--timeout; 127 when the program could not be started; 130 when it was canceled; 255 when
cmdop itself failed or the outcome is unknown.`,
    )
    .action(async (machine: string, words: string[], options: ExecCommandOptions) => {
      const isArgv = process.argv.includes("--");
      const [line] = words;
      if (!isArgv && (words.length > 1 || line === undefined)) {
        throw usageError(
          "a command of several words is ambiguous.",
          'Quote it for the shell ("…"), or put -- before it.',
        );
      }
      const { runExec } = await import("../run-exec.ts");
      const { cwd, env, timeout, stdin } = options;
      const timeoutMs = timeout === undefined ? undefined : timeout * 1000;
      throw new ExitWith(
        await runExec(machine, isArgv ? words : (line ?? ""), { cwd, env, timeoutMs }, stdin),
      );
    });
}
