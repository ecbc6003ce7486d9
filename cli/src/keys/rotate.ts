import type { Command } from "commander";
import { note } from "../console/output.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

interface RotateCommandOptions extends OwnerOptions {
  keepOld?: boolean;
  json?: boolean;
}

export function registerKeysRotate(keys: Command): void {
  keys
    .command("rotate")
    .description("make a new key with the same grant, print it, and revoke the old one; needs the owner key")
    .argument("<key>", "name or id of the key")
    .option("--keep-old", "let the old key count on, to be revoked when nothing uses it any more")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop keys rotate deploy
  cmdop keys rotate deploy --keep-old     # then, by its id: cmdop keys revoke ID

The old key's jobs stay the old key's: the new one does not see them.`,
    )
    .action(async (key: string, options: RotateCommandOptions) => {
      const { keepOld, json } = options;
      const [{ ownerClient }, { onKey }, { printCreated }, { printable }] = await Promise.all([
        import("../owner/owner.ts"),
        import("./on-key.ts"),
        import("./text.ts"),
        import("../console/printable.ts"),
      ]);
      await using client = await ownerClient(options);
      const old = await onKey(client, key, (name) => client.keys.show(name));
      const created = await client.keys.rotate(old.keyId, { keepOld });
      printCreated(old.name, created, json);
      if (!json && keepOld) note(`the old key ${printable(old.keyId)} counts on until it is revoked`);
    });
}
