import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { note } from "../console/output.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

interface ListCommandOptions extends OwnerOptions {
  all?: boolean;
  json?: boolean;
}

export function registerKeysList(keys: Command): void {
  keys
    .command("list")
    .description("list the keys that count; needs the owner key, or a key with the scope admin")
    .option("-a, --all", "also those that have expired, were revoked, or count no more")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print JSON, a line a key")
    .addHelpText(
      "after",
      `
Examples:
  cmdop keys list
  cmdop keys list --all --json | jq -r 'select(.state == "expired").name'`,
    )
    .action(async (options: ListCommandOptions) => {
      const { all = false, json } = options;
      const [{ operatorClient }, { shortIds }, { standardView }, { machineNames }, { keyTable }] =
        await Promise.all([
          import("../owner/operator.ts"),
          import("../console/short-ids.ts"),
          import("../console/table.ts"),
          import("../machines/machine-names.ts"),
          import("./text.ts"),
        ]);
      await using client = await operatorClient(options, "admin");
      const found = await client.keys.list();
      const short = shortIds(found.map(({ keyId }) => keyId));
      const listed = all ? found : found.filter(({ state }) => state === "active" || state === "blocked");
      if (json) for (const key of listed) process.stdout.write(jsonLine(key));
      else if (listed.length > 0) {
        const machineName = await machineNames(client);
        process.stdout.write(keyTable(listed, { short, machineName }, standardView()));
      } else note("There is no key that counts; cmdop keys create makes one.");
      const more = found.length - listed.length;
      if (!json && more > 0) note(`${more} more that count no longer: --all lists them.`);
    });
}
