import type { Command } from "commander";

export function registerKeysShow(keys: Command): void {
  keys
    .command("show")
    .description("say all that is known of a key; the key itself can't be shown again")
    .argument("<key>", "name or id of the key")
    .option("--relay <id@host:port>", "the relay, as it printed itself; remembered")
    .option("--json", "print one line of JSON, with the owner-signed grant")
    .addHelpText(
      "after",
      `
Examples:
  cmdop keys show deploy
  cmdop keys show deploy --json | jq -r .grant`,
    )
    .action(async (key: string, { relay, json }: { relay?: string; json?: boolean }) => {
      const [{ operatorClient }, { keyText }] = await Promise.all([
        import("../../operator.ts"),
        import("../../keys-text.ts"),
      ]);
      await using client = await operatorClient(relay);
      const found = await client.keys.show(key);
      process.stdout.write(json ? `${JSON.stringify(found)}\n` : keyText(found));
    });
}
