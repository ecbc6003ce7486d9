import type { Command } from "commander";
import { passphraseFdOption, relayOption } from "./options.ts";
import type { OwnerOptions } from "./owner.ts";

export function registerOwnerRotate(owner: Command): void {
  owner
    .command("rotate")
    .description("replace this home's owner key with a new one")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop owner rotate

The relay gets a roster that names the new owner instead of the old one, and the grants of all valid
keys are signed again; nobody needs a new key. A machine ends the jobs of a key that has not called
since, because it knows only the key's old grant: choose a quiet moment. Machines that are offline
follow when they come back. If it is interrupted, run it again. The new key is sealed with the passphrase
of the old one. The old key is kept beside it as owner.key.old-TIME, because other relays may still
name it: rotate there too, then delete it. The relay's own --owner option need not be changed, since
it matters only before the first roster.`,
    )
    .action(async ({ relay: named, passphraseFd, json }: OwnerOptions & { json?: boolean }) => {
      const [{ handOver }, { openOwner, requireOwner }, relays, { Passphrase }, { printRotated }] =
        await Promise.all([
          import("./rotation.ts"),
          import("./owner.ts"),
          import("./relay.ts"),
          import("../passphrase/passphrase.ts"),
          import("./rotated-text.ts"),
        ]);
      const { recovery } = await requireOwner();
      const relay = await relays.ownersRelay(named);
      const passphrase = new Passphrase(passphraseFd);
      const { key } = await openOwner(passphrase);
      const rotated = await handOver({ relay, signer: key, remove: key.publicKey, recovery, passphrase });
      await relays.rememberRelay(relay);
      printRotated(rotated, json);
    });
}
