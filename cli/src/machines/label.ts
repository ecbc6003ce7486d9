import type { Command } from "commander";
import { labelChanges } from "../console/arguments.ts";
import { jsonLine } from "../console/json-line.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

export function registerMachinesLabel(machines: Command): void {
  machines
    .command("label")
    .description("set and remove labels of a machine; needs the owner key")
    .usage("[options] MACHINE KEY=VALUE… KEY-…")
    .argument("<machine>", "name or id of the machine")
    .argument("<changes...>", "KEY=VALUE sets a label, KEY- removes it")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON: id, name, labels")
    .addHelpText(
      "after",
      `
Examples:
  cmdop machines label shop-1 team=payments
  cmdop machines label shop-1 canary-

Labels are how teams are bound: a key that was made with --label team=payments reaches the
machine from now on.`,
    )
    .action(async (machine: string, words: string[], options: OwnerOptions & { json?: boolean }) => {
      const changes = labelChanges(words);
      const [{ ownerClient }, { onMachine }] = await Promise.all([
        import("../owner/owner.ts"),
        import("./on-machine.ts"),
      ]);
      await using client = await ownerClient(options);
      const changed = await onMachine(client, machine, (name) => client.machines.label(name, changes));
      process.stdout.write(
        options.json ? jsonLine(changed) : `${changed.name} is labelled ${words.join(" ")}\n`,
      );
    });
}
