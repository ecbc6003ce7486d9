import { SCOPES, type Scope } from "@cmdop/proto/methods";
import { type Command, Option } from "commander";
import { collect, collectPairs } from "../console/arguments.ts";
import { parseDuration } from "../console/duration.ts";
import { usageError } from "../console/exit.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

interface CreateCommandOptions extends OwnerOptions {
  scope: string[];
  machine?: string[];
  label?: Record<string, string>;
  path?: string[];
  expires?: number;
  jobs?: "end" | "live";
  save?: boolean;
  json?: boolean;
}

export function registerKeysCreate(keys: Command): void {
  keys
    .command("create")
    .description("make an API key and print it: the only time that it can be seen; needs the owner key")
    .argument("<name>", "what the key is for")
    .requiredOption("--scope <scope>", `what it may do; may be repeated: ${SCOPES.join(", ")}`, collect)
    .option(
      "--machine <machine>",
      "name (* allowed) or id of a machine that it reaches; may be repeated",
      collect,
    )
    .option(
      "--label <key=value>",
      "it reaches the machines with this label; repeated: with all of them",
      collectPairs,
    )
    .option("--path <directory>", "bind its files scopes to this directory; may be repeated", collect)
    .option("--expires <duration>", "life of the key: 2h, 30d; 90 days unless given", parseDuration)
    .addOption(
      new Option(
        "--jobs <fate>",
        "what becomes of its running jobs when it ends or is revoked (default: end)",
      ).choices(["end", "live"]),
    )
    .option("--save", "make it this home's own key, which the MCP server and all commands use when told none")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop keys create deploy --scope terminal --scope machines:read --machine web-1
  cmdop keys create payments --scope terminal --label team=payments
  cmdop keys create logs --scope files:read --path /var/log --machine "web-*" --expires 2h
  cmdop keys create boss --scope approve --machine "*"

terminal is the full authority of the user that jobs run as, so it can't be bound to paths.
So is files:write without --path: it can write what that user runs at the next start.
A key that is to answer approvals needs approve; no key can approve its own calls.`,
    )
    .action(async (name: string, options: CreateCommandOptions) => {
      const scopes = options.scope.map(scopeNamed);
      if (options.machine === undefined && options.label === undefined) {
        throw usageError(
          "it is not said which machines the key reaches.",
          'Say --machine NAME or --label KEY=VALUE; --machine "*" is all of them.',
        );
      }
      const [{ ownerClient }, { saveKey }, { makeOutputPrivate }] = await Promise.all([
        import("../owner/owner.ts"),
        import("../home/profile.ts"),
        import("../console/secret-output.ts"),
      ]);
      makeOutputPrivate();
      await using client = await ownerClient(options);
      const created = await client.keys.create({
        name,
        scopes,
        machines: options.machine,
        labels: options.label,
        paths: options.path,
        expiresInS: options.expires,
        jobs: options.jobs,
      });
      const { printAuthority, printCreated, printSaved } = await import("./text.ts");
      if (options.save) {
        await saveKey(created.apiKey);
        printSaved(name, created, options.json);
      } else printCreated(name, created, options.json);
      printAuthority(scopes, options.path);
    });
}

function scopeNamed(text: string): Scope {
  const scope = SCOPES.find((known) => known === text);
  if (scope === undefined)
    throw usageError(`there is no scope ${JSON.stringify(text)}.`, `Scopes: ${SCOPES.join(", ")}.`);
  return scope;
}
