import type { Command } from "commander";
import { EXIT_FAILURE, ExitWith } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";

export function registerDoctor(program: Command): void {
  program
    .command("doctor")
    .description("check what cmdop needs, here or on a machine, and say what to do next")
    .argument("[machine]", "a machine to check from here; without it, this computer")
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop doctor             # Node, home, relay, clock, key, and this computer's agent
  cmdop doctor web-1       # the way to web-1, and what it says about itself
  cmdop doctor --json | jq '.findings[] | select(.verdict != "ok")'

Exit codes: 0 where nothing has failed, warnings or not; 1 otherwise.`,
    )
    .action(async (machine: string | undefined, { json }: { json?: boolean }) => {
      const [{ examineAfar, examineHere }, { reportText }] = await Promise.all([
        import("./examine.ts"),
        import("./report.ts"),
      ]);
      const findings = await (machine === undefined ? examineHere() : examineAfar(machine));
      const isHealthy = findings.every(({ verdict }) => verdict !== "failed");
      process.stdout.write(json ? jsonLine({ ok: isHealthy, findings }) : reportText(findings));
      if (!isHealthy) throw new ExitWith(EXIT_FAILURE);
    });
}
