import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { passphraseFdOption, relayOption } from "./options.ts";
import type { OwnerOptions } from "./owner.ts";

interface TeachCommandOptions extends OwnerOptions {
  json?: boolean;
}

export function registerOwnerTeach(owner: Command): void {
  owner
    .command("teach")
    .description(
      "give a relay that has lost its data the owner's statements again: the roster and the keys' grants",
    )
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop owner teach
  cmdop owner teach --relay ID@HOST:PORT

Use it after a relay was restored from a backup, or has lost relay.db. The owner's statements are kept
in owner/relays, one file for each relay; statements that only the relay has are added to it. Machines
do not need this: they come back by themselves.`,
    )
    .action(async (options: TeachCommandOptions) => {
      const [{ ownerClient }, { OwnerLedger }, { ownersRelay }] = await Promise.all([
        import("./owner.ts"),
        import("./ledger.ts"),
        import("./relay.ts"),
      ]);
      await using client = await ownerClient(options);
      const ledger = await OwnerLedger.open((await ownersRelay(options.relay)).id);
      const { grants } = await ledger.teach(client, { all: true });
      await ledger.learn(client);
      const { seq } = await client.roster.get();
      if (options.json) process.stdout.write(jsonLine({ roster: seq, grants }));
      else {
        process.stdout.write(
          `roster number ${seq} is in force; ${grants.length === 0 ? "the relay knew all keys" : `${grants.length} keys that the relay did not know: ${grants.join(", ")}`}\n`,
        );
      }
    });
}
