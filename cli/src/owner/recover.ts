import { bytes32Schema, CmdopError } from "@cmdop/proto";
import { type Command, InvalidArgumentError } from "commander";
import { passphraseFdOption, relayOption } from "./options.ts";
import type { OwnerOptions } from "./owner.ts";

interface RecoverCommandOptions extends OwnerOptions {
  remove?: string;
  json?: boolean;
}

export function registerOwnerRecover(owner: Command): void {
  owner
    .command("recover")
    .description("make a new owner with the recovery key, when the owner key is lost or stolen")
    .option("--remove <pub>", "public key of the owner to remove; default this home's", (text: string) => {
      if (bytes32Schema.safeParse(text).success) return text;
      throw new InvalidArgumentError("Give the public key as cmdop init printed it.");
    })
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop owner recover
  cmdop owner recover --remove OLD_OWNER --relay ID@HOST:PORT < /media/safe/recovery-key

cmdop init or cmdop up showed the recovery key once. It is asked for on the terminal, or read from
standard input, never from the command line; it stays valid. The new owner key is made in this home,
and sealed like that of cmdop init: with a passphrase that is shown once, or with one that you give.`,
    )
    .action(async (options: RecoverCommandOptions) => {
      const [{ handOver }, { readOwner }, relays, { readRecoveryKey }, { Passphrase }, { printRotated }] =
        await Promise.all([
          import("./rotation.ts"),
          import("./owner.ts"),
          import("./relay.ts"),
          import("./recovery-key.ts"),
          import("../passphrase/passphrase.ts"),
          import("./rotated-text.ts"),
        ]);
      const remove = options.remove ?? (await readOwner())?.owner;
      if (remove === undefined) {
        throw new CmdopError("InvalidArgument", "The owner to remove is not known: this home has none.", {
          next: "Use --remove with the old owner's public key, as cmdop init or cmdop owner show printed it.",
        });
      }
      const relay = await relays.ownersRelay(options.relay);
      const signer = await readRecoveryKey();
      const passphrase = new Passphrase(options.passphraseFd);
      const rotated = await handOver({ relay, signer, remove, recovery: signer.publicKey, passphrase });
      await relays.rememberRelay(relay);
      printRotated(rotated, options.json);
    });
}
