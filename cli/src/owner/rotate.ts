import type { Command } from "commander";
import { passphraseFdOption, relayOption } from "./options.ts";
import type { OwnerOptions } from "./owner.ts";

export function registerOwnerRotate(owner: Command): void {
  owner
    .command("rotate")
    .description("put a new owner key in the place of this home's")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop owner rotate

The relay gets a roster that names the new owner instead of the old, and the grants of all keys
that count are signed anew; nobody needs a new key. What runs on a machine by a key that has not
called since is ended, since the machine knows only its old grant: choose a quiet moment. Machines
that are offline follow when they come back. Interrupted, it can be run again. The new key is sealed
under the passphrase of the old one, which is kept beside it as owner.key.old-TIME, since other
relays may still name it: rotate there too, then delete it. The relay's own --owner option stays as
it is: it counts only before the first roster.`,
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
