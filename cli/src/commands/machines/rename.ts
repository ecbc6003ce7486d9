import type { Command } from "commander";

export function registerMachinesRename(machines: Command): void {
  machines
    .command("rename")
    .description("give a machine another name; needs the owner key")
    .argument("<machine>", "name or id of the machine")
    .argument("<name>", "what it is called from now on")
    .option("--relay <id@host:port>", "the relay, as it printed itself; remembered")
    .addHelpText(
      "after",
      `
Examples:
  cmdop machines rename web-1 shop-1

Keys that were granted the old name do not reach it any more; those that were granted its id,
its labels, or a pattern that the new name matches, do.`,
    )
    .action(async (machine: string, name: string, { relay }: { relay?: string }) => {
      const { ownerClient } = await import("../../owner.ts");
      await using client = await ownerClient(relay);
      await client.machines.rename(machine, name);
      process.stdout.write(`${machine} is called ${name} now\n`);
    });
}
