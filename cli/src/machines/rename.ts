import type { Command } from "commander";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

export function registerMachinesRename(machines: Command): void {
  machines
    .command("rename")
    .description("give a machine another name; needs the owner key")
    .argument("<machine>", "name or id of the machine")
    .argument("<name>", "what it is called from now on")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .addHelpText(
      "after",
      `
Examples:
  cmdop machines rename web-1 shop-1

Keys that were granted the old name do not reach it any more; those that were granted its id,
its labels, or a pattern that the new name matches, do.`,
    )
    .action(async (machine: string, name: string, options: OwnerOptions) => {
      const [{ ownerClient }, { onMachine }] = await Promise.all([
        import("../owner/owner.ts"),
        import("./on-machine.ts"),
      ]);
      await using client = await ownerClient(options);
      await onMachine(client, machine, (old) => client.machines.rename(old, name));
      process.stdout.write(`${machine} is called ${name} now\n`);
    });
}
