import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { note } from "../console/output.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

export function registerKeysRevoke(keys: Command): void {
  keys
    .command("revoke")
    .description("make a key worthless, for ever; its open calls end at once")
    .argument("<key>", "name or id of the key")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop keys revoke deploy

As the owner: relay and machines refuse the key from now on; a machine that is offline hears of
it when it comes back. With a key that has the scope admin: this relay refuses it (blocked).
Jobs that it started end too, unless it was made with --jobs live.`,
    )
    .action(async (key: string, options: OwnerOptions & { json?: boolean }) => {
      const [{ ownerOrKey }, { onKey }, { printable }] = await Promise.all([
        import("../owner/operator.ts"),
        import("./on-key.ts"),
        import("../console/printable.ts"),
      ]);
      await using client = await ownerOrKey(options);
      const revoked = await onKey(client, key, (name) => client.keys.revoke(name));
      if (options.json) {
        process.stdout.write(jsonLine(revoked));
        return;
      }
      const { keyId, how } = revoked;
      process.stdout.write(`${printable(keyId)} ${how}\n`);
      if (how === "blocked") {
        note("This relay refuses it from now on. Machines hear of it only when the owner revokes it too.");
      }
    });
}
