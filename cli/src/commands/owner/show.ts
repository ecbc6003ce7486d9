import type { Command } from "commander";

export function registerOwnerShow(owner: Command): void {
  owner
    .command("show")
    .description("who this home's owner is, and whom the relay's roster names")
    .option("--relay <id@host:port>", "the relay, as it printed itself; remembered")
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop owner show
  cmdop owner show --json | jq .roster.revoked`,
    )
    .action(async (options: { relay?: string; json?: boolean }) => {
      const [{ ownerClient, ownerFile, recoveryPublicKey, rememberedRelay, requireOwner }, { isoTime }] =
        await Promise.all([import("../../owner.ts"), import("../../time.ts")]);
      const { key } = await requireOwner();
      const recovery = await recoveryPublicKey();
      await using client = await ownerClient(options.relay);
      const roster = await client.roster.get();
      const relay = await rememberedRelay();
      if (options.json) {
        const shown = { owner: key.publicKey, recovery: recovery ?? null, relay, roster };
        process.stdout.write(`${JSON.stringify(shown)}\n`);
        return;
      }
      const whose = (owner: string): string =>
        owner === key.publicKey ? "  this home's" : owner === recovery ? "  recovery" : "  another's";
      const { table } = await import("../../table.ts");
      process.stdout.write(
        table([
          ["owner", key.publicKey],
          ["file", ownerFile()],
          ["relay", relay ?? ""],
          ["roster", `number ${roster.seq}, signed ${isoTime(roster.signedAtMs)}`],
          ...roster.owners.map((listed) => ["  owner", listed + whose(listed)]),
          ...roster.relays.map(({ id, addresses }) => ["  relay", `${id} ${addresses.join(" ")}`]),
          ["  revoked", `${roster.revoked.length} keys`],
        ]),
      );
    });
}
