import { bytes32Schema, CmdopError } from "@cmdop/proto";
import { type Command, InvalidArgumentError } from "commander";

interface RecoverCommandOptions {
  recoveryFile: string;
  remove?: string;
  relay?: string;
  json?: boolean;
}

export function registerOwnerRecover(owner: Command): void {
  owner
    .command("recover")
    .description("make a new owner with the recovery key, when the owner key is lost or stolen")
    .requiredOption("--recovery-file <file>", "the recovery key that cmdop init made")
    .option(
      "--remove <pub>",
      "public key of the owner that goes; this home's unless given",
      (text: string) => {
        if (bytes32Schema.safeParse(text).success) return text;
        throw new InvalidArgumentError("Give the public key as cmdop init printed it.");
      },
    )
    .option("--relay <id@host:port>", "the relay, as it printed itself; remembered")
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop owner recover --recovery-file /media/safe/recovery.key
  cmdop owner recover --recovery-file recovery.key --remove OLD_OWNER --relay ID@HOST:PORT

The new owner key is made in this home. The recovery key stays the recovery owner: bring it
back to where it was.`,
    )
    .action(async (options: RecoverCommandOptions) => {
      const [{ handOver }, owners, { printRotated }] = await Promise.all([
        import("../../owner-rotation.ts"),
        import("../../owner.ts"),
        import("../../rotated-text.ts"),
      ]);
      const signer = await owners.readSeedFile(options.recoveryFile);
      if (signer === undefined) {
        throw new CmdopError(
          "NotFound",
          `There is no recovery key: ${options.recoveryFile} does not exist.`,
          {
            next: "Name the file that cmdop init told to keep safe.",
          },
        );
      }
      const remove = options.remove ?? (await owners.loadOwner())?.key.publicKey;
      if (remove === undefined) {
        throw new CmdopError("InvalidArgument", "It is not known which owner goes: this home has none.", {
          next: "Say --remove with the old owner's public key, as cmdop init or cmdop owner show printed it.",
        });
      }
      const relay = await owners.ownersRelay(options.relay);
      const rotated = await handOver({ relay, signer, remove, trusted: [] });
      await owners.rememberRecovery(signer.publicKey);
      await owners.rememberRelay(relay);
      printRotated(rotated, options.json);
    });
}
