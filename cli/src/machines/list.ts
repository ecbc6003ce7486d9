import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { note, warn } from "../console/output.ts";
import { passphraseFdOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

export function registerMachinesList(machines: Command): void {
  machines
    .command("list", { isDefault: true })
    .description("list the machines that the key reaches: what cmdop machines does alone")
    .addOption(passphraseFdOption())
    .option("--json", "print JSON, a line a machine")
    .addHelpText(
      "after",
      `
Examples:
  cmdop machines
  cmdop machines --json | jq -r 'select(.online).name'`,
    )
    .action(async (options: OwnerOptions & { json?: boolean }) => {
      const [{ machinesClient }, { machineTable }, { shortIds }, { standardView }, { printable }] =
        await Promise.all([
          import("../owner/operator.ts"),
          import("./machine-table.ts"),
          import("../console/short-ids.ts"),
          import("../console/table.ts"),
          import("../console/printable.ts"),
        ]);
      await using client = await machinesClient(options);
      const found = await client.machines.list();
      if (options.json) {
        for (const machine of found) process.stdout.write(jsonLine(machine));
        return;
      }
      const short = shortIds(found.map(({ id }) => id));
      if (found.length === 0) note("This key reaches no machine.");
      else process.stdout.write(machineTable(found, short, standardView()));
      const quarantined = found.filter(({ quarantinedSinceMs }) => quarantinedSinceMs !== null);
      if (quarantined.length > 0) {
        warn(quarantineText(quarantined.map(({ name }) => printable(name))));
      }
    });
}

/** Explains a quarantine and the way out of it. */
function quarantineText(names: readonly string[]): string {
  return `two agents have used the key of ${names.join(", ")}: a copy of the machine, or a thief. Neither is let in.
Where the key may be in wrong hands: cmdop machines remove NAME, delete the agent's state there, and
join the machine anew. Where it was a copy of your own that is gone: cmdop machines release NAME.`;
}
