import { CmdopError } from "@cmdop/proto";
import type { Command } from "commander";
import { EXIT_FAILURE, ExitWith, reportError } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";

export function registerPolicyCheck(policy: Command): void {
  policy
    .command("check")
    .description("read this machine's policy file as the agent would, and say what it allows")
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop policy check
  sudo cmdop policy check          # where the agent is root's

Run it as the user of the agent. It also says plainly whether the policy binds callers that have
the scope terminal, or files:write without paths, which is as much: whoever runs commands as the
agent's own user, or writes what that user runs, can edit the policy.

Exit codes: 0; 1 where the file is broken.`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const [{ checkPolicy }, { homePaths }, { printable }] = await Promise.all([
        import("@cmdop/agent"),
        import("../home/home.ts"),
        import("../console/printable.ts"),
      ]);
      const report = await checkPolicy({ home: homePaths.home() });
      if (json) process.stdout.write(jsonLine(report));
      else {
        const { file, found, error, lines, bindsTerminal, why } = report;
        const state = error === undefined ? (found ? "good" : "there is none") : "broken";
        process.stdout.write(`${printable(file)}: ${state}\n`);
        for (const line of lines) process.stdout.write(`  ${printable(line)}\n`);
        process.stdout.write(
          `${bindsTerminal ? "binds" : "does NOT bind"} terminal callers: ${printable(why)}\n`,
        );
      }
      if (report.error === undefined) return;
      const next = "Correct the file. Until then the agent goes by the last good one.";
      reportError(new CmdopError("InvalidArgument", report.error, { next }));
      throw new ExitWith(EXIT_FAILURE);
    });
}
