import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

export function registerKeysShow(keys: Command): void {
  keys
    .command("show")
    .description("say all that is known of a key; the key itself can't be shown again")
    .argument("<key>", "name or id of the key")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON, with the owner-signed grant")
    .addHelpText(
      "after",
      `
Examples:
  cmdop keys show deploy
  cmdop keys show deploy --json | jq -r .grant`,
    )
    .action(async (key: string, options: OwnerOptions & { json?: boolean }) => {
      const [{ operatorClient }, { onKey }, { keyText }] = await Promise.all([
        import("../owner/operator.ts"),
        import("./on-key.ts"),
        import("./text.ts"),
      ]);
      await using client = await operatorClient(options, "admin");
      const found = await onKey(client, key, (name) => client.keys.show(name));
      process.stdout.write(options.json ? jsonLine(found) : keyText(found));
    });
}
