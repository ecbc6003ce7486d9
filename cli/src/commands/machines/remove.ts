import type { Command } from "commander";
import { EXIT_FAILURE, ExitWith } from "../../exit.ts";

export function registerMachinesRemove(machines: Command): void {
  machines
    .command("remove")
    .description("make the relay forget a machine; needs the owner key, or a key with the scope admin")
    .argument("<machine>", "name or id of the machine")
    .option("-y, --yes", "do not ask")
    .option("--relay <id@host:port>", "the relay, as it printed itself; remembered")
    .addHelpText(
      "after",
      `
Examples:
  cmdop machines remove web-1 --yes

Its links end at once. It comes back only with a new join token (cmdop join-token), after its
state was deleted there: cmdop agent uninstall --purge.`,
    )
    .action(async (machine: string, { yes, relay }: { yes?: boolean; relay?: string }) => {
      const [{ operatorClient }, { confirm }] = await Promise.all([
        import("../../operator.ts"),
        import("../../confirm.ts"),
      ]);
      if (!yes && !(await confirm(`Forget ${machine}? It comes back only with a new join token.`))) {
        process.stderr.write("Nothing was changed.\n");
        throw new ExitWith(EXIT_FAILURE);
      }
      await using client = await operatorClient(relay);
      await client.machines.remove(machine);
      process.stdout.write(`${machine} is removed\n`);
    });
}
