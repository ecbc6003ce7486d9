import type { Command } from "commander";
import { EXIT_FAILURE, ExitWith } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";
import { note } from "../console/output.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

export function registerMachinesRemove(machines: Command): void {
  machines
    .command("remove")
    .description("make the relay forget a machine; needs the owner key, or a key with the scope admin")
    .argument("<machine>", "name or id of the machine")
    .option("-y, --yes", "do not ask")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON: id, name")
    .addHelpText(
      "after",
      `
Examples:
  cmdop machines remove web-1 --yes

Its links end at once. It comes back only with a new join token (cmdop join-token), after its
state was deleted there: cmdop agent uninstall --purge.`,
    )
    .action(async (machine: string, options: OwnerOptions & { yes?: boolean; json?: boolean }) => {
      const [{ operatorClient }, { confirm }, { onMachine }] = await Promise.all([
        import("../owner/operator.ts"),
        import("../console/confirm.ts"),
        import("./on-machine.ts"),
      ]);
      if (!options.yes && !(await confirm(`Forget ${machine}? It comes back only with a new join token.`))) {
        note("Nothing was changed.");
        throw new ExitWith(EXIT_FAILURE);
      }
      await using client = await operatorClient(options, "admin");
      const { id, name } = await onMachine(client, machine, (text) => client.machines.find(text));
      await client.machines.remove(id);
      process.stdout.write(options.json ? jsonLine({ id, name }) : `${name} is removed\n`);
    });
}
