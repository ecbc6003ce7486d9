import type { RosterInfo } from "@cmdop/sdk";
import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { isoTime } from "../console/time.ts";
import { passphraseFdOption, relayOption } from "./options.ts";
import type { OwnerOptions } from "./owner.ts";

interface ShowCommandOptions extends OwnerOptions {
  roster?: boolean;
  json?: boolean;
}

export function registerOwnerShow(owner: Command): void {
  owner
    .command("show")
    .description("show this home's owner, and with --roster the owners in the relay's roster")
    .option("--roster", "ask the relay, as the owner: this needs the passphrase")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop owner show
  cmdop owner show --roster
  cmdop owner show --roster --json | jq .roster.revoked`,
    )
    .action(async (options: ShowCommandOptions) => {
      const [{ ownerClient, ownerFile, requireOwner }, { rememberedRelay }, { facts }] = await Promise.all([
        import("./owner.ts"),
        import("./relay.ts"),
        import("../console/table.ts"),
      ]);
      const { owner: publicKey, recovery } = await requireOwner();
      const readRoster = async () => {
        await using client = await ownerClient(options);
        return await client.roster.get();
      };
      const roster = options.roster ? await readRoster() : undefined;
      const relay = await rememberedRelay();
      if (options.json) {
        const shown = { owner: publicKey, recovery: recovery ?? null, relay, roster };
        process.stdout.write(jsonLine(shown));
        return;
      }
      const whose = (listed: string): string =>
        listed === publicKey ? "  this home's" : listed === recovery ? "  recovery" : "  another";
      process.stdout.write(
        facts([
          ["owner", publicKey],
          ["recovery", recovery ?? ""],
          ["file", ownerFile()],
          ["relay", relay ?? ""],
          ...(roster === undefined ? [] : rosterFacts(roster, whose)),
        ]),
      );
    });
}

function rosterFacts(
  { seq, signedAtMs, owners, relays, revoked }: RosterInfo,
  whose: (owner: string) => string,
): [string, string][] {
  return [
    ["roster", `number ${seq}, signed ${isoTime(signedAtMs)}`],
    ...owners.map((owner): [string, string] => ["  owner", owner + whose(owner)]),
    ...relays.map(({ id, addresses }): [string, string] => ["  relay", `${id} ${addresses.join(" ")}`]),
    ["  revoked", `${revoked.length} keys`],
  ];
}
