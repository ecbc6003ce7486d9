import { METHODS } from "@cmdop/proto";
import type { Command } from "commander";
import { usageError } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";
import { methodNamed, shortMethod } from "./method-name.ts";

interface ExplainCommandOptions extends OwnerOptions {
  machine?: string;
  json?: boolean;
}

/** Who asks without a key: a caller of the machine's own socket. */
const LOCAL = "local";

export function registerPolicyExplain(policy: Command): void {
  policy
    .command("explain")
    .description("ask a machine what it would say to a call, and by which rule; runs nothing")
    .argument("<key>", "name or id of the key; local for a caller of this machine's own socket")
    .argument("<method>", "as Files/Read or Exec/Start")
    .argument("[paths...]", "the paths that the call would name")
    .option("--machine <machine>", "name or id of the machine; CMDOP_MACHINE, or the only one, unless given")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop policy explain deploy Exec/Start --machine web-1
  cmdop policy explain logs Files/Read /var/log/syslog --machine web-1
  cmdop policy explain local Files/Write /etc/motd

A key is looked up as the owner, or with a key that has the scope admin. The exit code is 0
whatever the machine would say.`,
    )
    .action(async (key: string, name: string, paths: string[], options: ExplainCommandOptions) => {
      const method = methodNamed(name);
      checkPaths(method, paths);
      const [{ CMDOPClient }, { operatorClient }, { onKey }, { onMachine }, { printable }] =
        await Promise.all([
          import("@cmdop/sdk"),
          import("../owner/operator.ts"),
          import("../keys/on-key.ts"),
          import("../machines/on-machine.ts"),
          import("../console/printable.ts"),
        ]);
      const isLocal = key === LOCAL;
      const machine = options.machine ?? (process.env.CMDOP_MACHINE || undefined);
      await using client = isLocal ? CMDOPClient.local() : await operatorClient(options, "admin");
      const grant = isLocal ? undefined : (await onKey(client, key, (name) => client.keys.show(name))).grant;
      const answer = await onMachine(client, isLocal ? undefined : machine, (name) =>
        (name === undefined ? client : client.machine(name)).explain({ grant, method, paths }),
      );
      if (options.json) {
        process.stdout.write(jsonLine(answer));
        return;
      }
      const { decision, reason, code, next } = answer;
      const words = code === undefined ? decision : `${decision} (${printable(code)})`;
      process.stdout.write(`${words}: ${printable(reason)}\n`);
      if (next !== undefined) process.stdout.write(`next:  ${printable(next)}\n`);
    });
}

function checkPaths(method: string, paths: readonly string[]): void {
  const fields = METHODS[method]?.paths ?? [];
  if (fields.length === paths.length) return;
  const wanted = fields.map(({ field }) => field.replace(/^.*\./, "").toUpperCase()).join(" ");
  throw usageError(
    `${shortMethod(method)} names ${fields.length === 0 ? "no path" : `${fields.length} of them`}, not ${paths.length}.`,
    `Say cmdop policy explain KEY ${[shortMethod(method), wanted].join(" ").trim()}.`,
  );
}
