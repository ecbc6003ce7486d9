import { type Command, Option } from "commander";
import { collectPairs, parseCount } from "../console/arguments.ts";
import { parseDuration } from "../console/duration.ts";
import { jsonLine } from "../console/json-line.ts";
import { note, warn } from "../console/output.ts";
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
    .description("make a token with which machines join; needs the owner key")
    .argument("[name]", "the machine's name; * in it stands for its host name, and alone is the default")
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
    .addHelpText(
      "after",
      `
Examples:
  cmdop join-token web-1
  cmdop join-token --uses 50               # each machine has its host name
  cmdop join-token fleet --uses 50         # fleet-HOST, for each
  cmdop join-token --label role=edge --uses 50 --expires 24h

Where another machine has the name, a number comes behind it: web, web-2, web-3. Machines can't choose
their names beyond that; cmdop machines rename gives others.`,
    )
    .action(async (wanted: string | undefined, options: JoinTokenCommandOptions) => {
      const [
        { ownerClient },
        { warnOfAgentBeside },
        { installLine },
        { CmdopError, isLoopback, isNamePattern, openJoinToken, splitAddress },
      ] = await Promise.all([
        import("../owner/owner.ts"),
        import("../owner/agent-beside.ts"),
        import("./install-line.ts"),
        import("@cmdop/proto"),
      ]);
      await warnOfAgentBeside();
      makeOutputPrivate();
      await using client = await ownerClient(options);
      const token = await client.machines.createJoinToken({
        name: wanted,
        labels: options.label,
        expiresInS: options.expires,
        uses: options.uses,
      });
      const { name, relay } = await openJoinToken(token);
      const line = await installLine(token).catch((thrown: unknown) => CmdopError.from(thrown));
      if (options.json) {
        process.stdout.write(jsonLine({ name, token, line: line instanceof CmdopError ? null : line }));
        return;
      }
      process.stdout.write(`${token}\n`);
      const where =
        options.uses > 1
          ? `each of the ${options.uses} machines`
          : isNamePattern(name)
            ? "the machine"
            : name;
      if (isLoopback(splitAddress(relay.address).host)) {
        warn(onlyHere(where, relay.address));
        return;
      }
      note(
        line instanceof CmdopError
          ? `${byHand(where)}There is no line that installs cmdop, too: ${line.message}`
          : `On ${where}, as root or as the user whose commands it shall run, this installs cmdop, joins and starts it:\n\n${line}\n`,
      );
    });
}

function byHand(name: string): string {
  return `On ${name}: cmdop agent install --join - (and paste it), or to try it: cmdop agent --join -\n`;
}

/** A relay such as that of `cmdop up`: the token is good for agents on this computer alone. */
function onlyHere(name: string, address: string): string {
  return `the token is for the relay at ${address}, which only this computer reaches, so no other machine can join with it.
next:    Where ${name} is another machine: start a relay that it reaches (cmdop relay install --owner OWNER_PUBLIC_KEY --public-address HOST:PORT; cmdop owner show has the key), and move this home there (cmdop up --relay and what that prints), or make only the token with --relay.`;
}
