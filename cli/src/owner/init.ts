import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { passphraseFdOption } from "./options.ts";

export function registerInit(program: Command): void {
  program
    .command("init")
    .description("make the owner key: who holds it decides who may do what")
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop init
  cmdop init --json --passphrase-fd 3 3< passphrase.txt

The key is sealed under a passphrase. One of words is made and shown this once, on the terminal
(without one, on standard error), unless you give your own: by --passphrase-fd, or in
CMDOP_OWNER_PASSPHRASE. The recovery key is shown the same way, and kept nowhere.`,
    )
    .action(async ({ json, passphraseFd }: { json?: boolean; passphraseFd?: number }) => {
      const [{ createOwner, readOwner }, { Passphrase }] = await Promise.all([
        import("./owner.ts"),
        import("../passphrase/passphrase.ts"),
      ]);
      const existing = await readOwner();
      const owner = existing?.owner ?? (await createOwner(new Passphrase(passphraseFd))).key.publicKey;
      const created = existing === undefined;
      if (json) {
        process.stdout.write(jsonLine({ owner, created }));
        return;
      }
      process.stdout.write(`owner ${owner}\n`);
      process.stdout.write(
        created
          ? `\nNext, where the relay shall run:\n  cmdop relay --owner ${owner}\n`
          : "This home had an owner key already; nothing was changed.\n",
      );
    });
}
