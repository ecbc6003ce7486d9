import { type Command, Option } from "commander";
import { collectPairs, parseCount } from "../arguments.ts";
import { parseDuration } from "../duration.ts";

interface JoinTokenCommandOptions {
  label?: Record<string, string>;
  expires: number;
  uses: number;
  relay?: string;
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
    .option("--relay <id@host:port>", "the relay, as it printed itself; remembered")
    .option("--json", "print one line of JSON")
    .action(async (name: string, options: JoinTokenCommandOptions) => {
      const { ownerClient } = await import("../owner.ts");
      await using client = await ownerClient(options.relay);
      const token = await client.machines.createJoinToken({
        name,
        labels: options.label,
        expiresInS: options.expires,
        uses: options.uses,
      });
      if (options.json) {
        process.stdout.write(`${JSON.stringify({ name, token })}\n`);
        return;
      }
      process.stdout.write(`${token}\n`);
      process.stderr.write(
        `On ${name}: cmdop agent install --join - (and paste it), or to try it: cmdop agent --join -\n`,
      );
    });
}
