import { SCOPES, type Scope } from "@cmdop/proto/methods";
import type { Command } from "commander";
import { collect } from "../arguments.ts";
import { parseDuration } from "../duration.ts";
import { usageError } from "../exit.ts";

interface CreateCommandOptions {
  scope: string[];
  machine: string[];
  path?: string[];
  expires?: number;
  relay?: string;
  json?: boolean;
}

export function registerKeys(program: Command): void {
  const keys = program
    .command("keys")
    .description("make API keys; needs the owner key")
    .enablePositionalOptions();
  keys
    .command("create")
    .description("make an API key and print it: the only time that it can be seen")
    .argument("<name>", "what the key is for")
    .requiredOption("--scope <scope>", `what it may do; may be repeated: ${SCOPES.join(", ")}`, collect)
    .requiredOption(
      "--machine <machine>",
      "name (* allowed) or id of a machine that it reaches; may be repeated",
      collect,
    )
    .option("--path <directory>", "bind its files scopes to this directory; may be repeated", collect)
    .option("--expires <duration>", "life of the key: 2h, 30d; 90 days unless given", parseDuration)
    .option("--relay <id@host:port>", "the relay, as it printed itself; remembered")
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop keys create deploy --scope terminal --scope machines:read --machine web-1
  cmdop keys create logs --scope files:read --path /var/log --machine "web-*" --expires 2h

terminal is the full authority of the user that the agent runs as, so it can't be bound to paths.`,
    )
    .action(async (name: string, options: CreateCommandOptions) => {
      const scopes = options.scope.map(scopeNamed);
      const { ownerClient } = await import("../owner.ts");
      await using client = await ownerClient(options.relay);
      const created = await client.keys.create({
        name,
        scopes,
        machines: options.machine,
        paths: options.path,
        expiresInS: options.expires,
      });
      if (options.json) {
        process.stdout.write(`${JSON.stringify(created)}\n`);
        return;
      }
      process.stdout.write(`${created.apiKey}\n`);
      process.stderr.write(
        `key ${name} (${created.keyId}) ends on ${new Date(created.expiresAtMs).toISOString()}\n`,
      );
    });
}

function scopeNamed(text: string): Scope {
  const scope = SCOPES.find((known) => known === text);
  if (scope === undefined)
    throw usageError(`there is no scope ${JSON.stringify(text)}.`, `Scopes: ${SCOPES.join(", ")}.`);
  return scope;
}
