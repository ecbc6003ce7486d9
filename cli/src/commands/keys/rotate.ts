import type { Command } from "commander";

interface RotateCommandOptions {
  keepOld?: boolean;
  relay?: string;
  json?: boolean;
}

export function registerKeysRotate(keys: Command): void {
  keys
    .command("rotate")
    .description("make a new key with the same grant, print it, and revoke the old one; needs the owner key")
    .argument("<key>", "name or id of the key")
    .option("--keep-old", "let the old key count on, to be revoked when nothing uses it any more")
    .option("--relay <id@host:port>", "the relay, as it printed itself; remembered")
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop keys rotate deploy
  cmdop keys rotate deploy --keep-old     # then, by its id: cmdop keys revoke ID

The old key's jobs stay the old key's: the new one does not see them.`,
    )
    .action(async (key: string, { keepOld, relay, json }: RotateCommandOptions) => {
      const [{ ownerClient }, { printCreated }] = await Promise.all([
        import("../../owner.ts"),
        import("../../keys-text.ts"),
      ]);
      await using client = await ownerClient(relay);
      const old = await client.keys.show(key);
      const created = await client.keys.rotate(old.keyId, { keepOld });
      printCreated(old.name, created, json);
      if (!json && keepOld) process.stderr.write(`the old key ${old.keyId} counts on until it is revoked\n`);
    });
}
