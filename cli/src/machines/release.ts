import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

export function registerMachinesRelease(machines: Command): void {
  machines
    .command("release")
    .description("let a quarantined machine back in; needs the owner key")
    .argument("<machine>", "name or id of the machine")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON: id, name")
    .addHelpText(
      "after",
      `
Examples:
  cmdop machines release web-1

A machine is quarantined when two agents have used its key: a copied disk or image, a snapshot that
was restored, or a thief. Callers hear MachineQuarantined, and neither agent is let in.

Release it only when the other one is gone for certain: the copy deleted, the restored snapshot the
only one that runs. The key stays the same, so whoever has it and comes first is the machine. Two
that alternate are quarantined again; a thief who waits until the machine is offline is not seen.
Where the key may be in wrong hands, remove the machine instead (cmdop machines remove), delete the
agent's state there (cmdop agent uninstall --purge), and join it anew: it gets a key of its own.`,
    )
    .action(async (machine: string, options: OwnerOptions & { json?: boolean }) => {
      const [{ ownerClient }, { onMachine }] = await Promise.all([
        import("../owner/owner.ts"),
        import("./on-machine.ts"),
      ]);
      await using client = await ownerClient(options);
      const { id, name } = await onMachine(client, machine, (text) => client.machines.find(text));
      await client.machines.release(id);
      process.stdout.write(options.json ? jsonLine({ id, name }) : `${name} is released\n`);
    });
}
