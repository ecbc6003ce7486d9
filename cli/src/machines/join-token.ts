import { type Command, Option } from "commander";
import { collectPairs, parseCount } from "../console/arguments.ts";
import { parseDuration } from "../console/duration.ts";
import { jsonLine } from "../console/json-line.ts";
import { makeOutputPrivate } from "../console/secret-output.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

interface JoinTokenCommandOptions extends OwnerOptions {
  label?: Record<string, string>;
  expires: number;
  uses: number;
  json?: boolean;
}

export function registerJoinToken(program: Command): void {
  program
    .command("join-token")
    .description("make a token with which one machine joins; needs the owner key")
    .argument("<name>", "what the machine will be called")
    .option("--label <key=value>", "label of the machine; may be repeated", collectPairs)
    .addOption(
      new Option("--expires <duration>", "life of the token: 30m, 2h")
        .argParser(parseDuration)
        .default(60 * 60, "1h"),
    )
    .option("--uses <count>", "machines that may join with it", parseCount, 1)
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON")
    .action(async (name: string, options: JoinTokenCommandOptions) => {
      const [{ ownerClient }, { warnOfAgentBeside }] = await Promise.all([
        import("../owner/owner.ts"),
        import("../owner/agent-beside.ts"),
      ]);
      await warnOfAgentBeside();
      makeOutputPrivate();
      await using client = await ownerClient(options);
      const token = await client.machines.createJoinToken({
        name,
        labels: options.label,
        expiresInS: options.expires,
        uses: options.uses,
      });
      if (options.json) {
        process.stdout.write(jsonLine({ name, token }));
        return;
      }
      process.stdout.write(`${token}\n`);
      process.stderr.write(
        `On ${name}: cmdop agent install --join - (and paste it), or to try it: cmdop agent --join -\n`,
      );
    });
}
