import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
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
    .option("--json", "print one line of JSON: id, name, labels")
    .addHelpText(
      "after",
      `
Examples:
  cmdop machines rename web-1 shop-1

Keys that were granted the old name do not reach it any more; those that were granted its id,
its labels, or a pattern that the new name matches, do.`,
    )
    .action(async (machine: string, name: string, options: OwnerOptions & { json?: boolean }) => {
      const [{ ownerClient }, { onMachine }] = await Promise.all([
        import("../owner/owner.ts"),
        import("./on-machine.ts"),
      ]);
      await using client = await ownerClient(options);
      const { id, old, ...changed } = await onMachine(client, machine, async (text) => {
        const { id, name: old } = await client.machines.find(text);
        return { old, ...(await client.machines.rename(id, name)) };
      });
      process.stdout.write(options.json ? jsonLine({ id, ...changed }) : `${old} is called ${name} now\n`);
    });
}
