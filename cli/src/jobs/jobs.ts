import type { Command } from "commander";
import { note } from "../console/output.ts";

interface ListOptions {
  all?: boolean;
  json?: boolean;
}

export function registerJobs(program: Command): void {
  registerList(program, "jobs", "your commands and sessions that run on a machine", undefined);
}

export function registerSessions(program: Command): void {
  registerList(program, "sessions", "your sessions that run on a machine", "session");
}

function registerList(program: Command, name: string, what: string, kind: "session" | undefined): void {
  program
    .command(name)
    .description(`list ${what}`)
    .usage("[options] [MACHINE]")
    .argument("[machine]", "id or name of the machine")
    .option("-a, --all", "also those that have ended and that the machine still knows")
    .option("--json", "print JSON, a line a job")
    .addHelpText(
      "after",
      `
Examples:
  cmdop ${name} web-1
  cmdop ${name} web-1 --all --json`,
    )
    .action(async (machine: string | undefined, { all, json }: ListOptions) => {
      const [
        { CMDOPClient },
        { jobTable },
        { jsonLine },
        { onMachine },
        { shortIds },
        { standardView },
        { terminalOf },
      ] = await Promise.all([
        import("@cmdop/sdk"),
        import("./job-table.ts"),
        import("../console/json-line.ts"),
        import("../machines/on-machine.ts"),
        import("../console/short-ids.ts"),
        import("../console/table.ts"),
        import("./machine-terminal.ts"),
      ]);
      await using client = CMDOPClient.fromProfile();
      const jobs = await onMachine(client, machine, (name) =>
        terminalOf(client, name).jobs({ kind, running: !all }),
      );
      const short = shortIds(jobs.map(({ jobId }) => jobId));
      if (json) for (const job of jobs) process.stdout.write(jsonLine(job));
      else if (jobs.length > 0) process.stdout.write(jobTable(jobs, short, standardView()));
      else note(`No ${name}${all ? "" : " that run; --all lists those that have ended"}.`);
    });
}
