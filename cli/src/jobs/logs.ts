import type { Command } from "commander";
import { machineAnd, parseOffset } from "../console/arguments.ts";
import { ExitWith } from "../console/exit.ts";

interface LogsCommandOptions {
  follow?: boolean;
  after?: number;
  stdout?: boolean;
  stderr?: boolean;
  json?: boolean;
}

export function registerLogs(program: Command): void {
  program
    .command("logs")
    .description("print what a job has written, or what an agent's run did; with --follow until its end")
    .usage("[options] [MACHINE] JOB")
    .argument("<words...>", "id or name of the machine; the job's id, or how it begins")
    .option("-f, --follow", "go on until the job's end, and end with its exit code")
    .option("--after <offset>", "begin behind this many bytes of its output", parseOffset)
    .option("--stdout", "only its standard output")
    .option("--stderr", "only its standard error")
    .option("--json", "print a line of JSON an event: started, stdout and stderr with text, dropped, ended")
    .addHelpText(
      "after",
      `
Examples:
  cmdop logs web-1 3f2a
  cmdop logs web-1 3f2a --follow --stderr

Its standard output goes to standard output, its standard error to standard error. Ctrl-C
leaves; the job goes on. What the machine has dropped is counted on standard error. Of a run, the
plan, the choice and the tools are standard error, the answer is standard output.

Exit codes: 0; with --follow those of cmdop exec; 255 when cmdop itself failed.`,
    )
    .action(async (words: string[], options: LogsCommandOptions) => {
      const { machine, id } = machineAnd(words, "logs", "JOB");
      const { follow = false, after = 0, stdout, stderr, json = false } = options;
      const only = stdout === stderr ? undefined : stdout ? "stdout" : "stderr";
      const { runLogs } = await import("./run-logs.ts");
      throw new ExitWith(await runLogs(machine, id, { follow, after, only, json }));
    });
}
