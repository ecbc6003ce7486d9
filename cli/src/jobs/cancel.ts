import type { Command } from "commander";
import { machineAnd } from "../console/arguments.ts";
import { jsonLine } from "../console/json-line.ts";

export function registerCancel(program: Command): void {
  program
    .command("cancel")
    .description("end a job and say how it ended; a session is closed as its window would be")
    .usage("[MACHINE] JOB")
    .argument("<words...>", "id or name of the machine; the job's id, or how it begins")
    .option("--json", "print one line of JSON: how the job ended")
    .addHelpText(
      "after",
      `
Examples:
  cmdop cancel web-1 3f2a

It gets SIGTERM (a session SIGHUP) and, after a grace, SIGKILL: its whole process group.`,
    )
    .action(async (words: string[], { json }: { json?: boolean }) => {
      const { machine, id } = machineAnd(words, "cancel", "JOB");
      const [{ CMDOPClient, describeEnd }, { findJobId }, { terminalOf }, { onMachine }, { printable }] =
        await Promise.all([
          import("@cmdop/sdk"),
          import("./find-job.ts"),
          import("./machine-terminal.ts"),
          import("../machines/on-machine.ts"),
          import("../console/printable.ts"),
        ]);
      await using client = CMDOPClient.fromProfile();
      const end = await onMachine(client, machine, async (name) => {
        const terminal = terminalOf(client, name);
        return await terminal.cancel(await findJobId(terminal, id));
      });
      if (json) {
        process.stdout.write(jsonLine(end));
        return;
      }
      // Whoever canceled it knows why.
      const reason = end.outcome === "canceled" ? "" : end.reason;
      process.stdout.write(`${end.jobId} ${printable(describeEnd({ ...end, reason }))}\n`);
    });
}
