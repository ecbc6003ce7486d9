import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { passphraseFdOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";
import { registerMachinesLabel } from "./label.ts";
import { registerMachinesRelease } from "./release.ts";
import { registerMachinesRemove } from "./remove.ts";
import { registerMachinesRename } from "./rename.ts";

export function registerMachines(program: Command): void {
  const machines = program
    .command("machines")
    .description("list the machines that the key reaches; rename, label, release and remove them")
    .enablePositionalOptions()
    .addOption(passphraseFdOption())
    .option("--json", "print JSON, a line a machine")
    .addHelpText(
      "after",
      `
Examples:
  cmdop machines
  cmdop machines rename web-1 shop-1
  cmdop machines label shop-1 team=payments canary-
  cmdop machines remove shop-1`,
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
      if (found.length === 0) process.stderr.write("This key reaches no machine.\n");
      else process.stdout.write(machineTable(found, short, standardView()));
      const quarantined = found.filter(({ quarantinedSinceMs }) => quarantinedSinceMs !== null);
      if (quarantined.length > 0) {
        process.stderr.write(quarantineText(quarantined.map(({ name }) => printable(name))));
      }
    });
  registerMachinesRename(machines);
  registerMachinesLabel(machines);
  registerMachinesRelease(machines);
  registerMachinesRemove(machines);
}

/** Explains a quarantine and the way out of it. */
function quarantineText(names: readonly string[]): string {
  return `Two agents have used the key of ${names.join(", ")}: a copy of the machine, or a thief. Neither is let in.
Where the key may be in wrong hands: cmdop machines remove NAME, delete the agent's state there, and
join the machine anew. Where it was a copy of your own that is gone: cmdop machines release NAME.
`;
}
