import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";
import { parseMoment } from "../console/time.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";
import { registerAuditVerify } from "./verify.ts";

interface AuditCommandOptions extends OwnerOptions {
  machine?: string;
  key?: string;
  since?: number;
  until?: number;
  follow?: boolean;
  json?: boolean;
}

/** Time after which an open call is printed as running while following, in milliseconds. */
const FOLLOW_FLUSH_MS = 2_000;

export function registerAudit(program: Command): void {
  const audit = program
    .command("audit")
    .description("the records of all calls, refused ones too; needs the scope audit:read")
    .enablePositionalOptions()
    .option("--machine <machine>", "only calls to this machine, by name or id")
    .option("--key <key>", "only calls of this key, by name or id; local for a machine's own socket")
    .option("--since <time>", "only records from this time on: 2h (ago), 2026-11-23T13:00Z", (text: string) =>
      parseMoment(text),
    )
    .option("--until <time>", "only records before this time", (text: string) => parseMoment(text))
    .option("-f, --follow", "go on with records as they come; Ctrl-C ends it")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print the records themselves, a line of JSON each")
    .addHelpText(
      "after",
      `
Examples:
  cmdop audit --since 2h
  cmdop audit --machine web-1 --key deploy --follow
  cmdop audit --since 2026-11-23 --json | jq -c 'select(.record.type == "refused")'
  cmdop audit verify --heads heads.json

Each line is a call: time, key, machine, method, end, and the command or path. A call that ended long
after its begin has two lines. The end of a call is unknown if the relay or the agent has restarted
meanwhile.`,
    )
    .action(async (options: AuditCommandOptions) => {
      const [
        { operatorClient },
        { AuditCalls },
        { auditLayout },
        { auditSubject },
        { standardView },
        { machineNames },
        { terminationSignal },
      ] = await Promise.all([
        import("../owner/operator.ts"),
        import("./calls.ts"),
        import("./call-row.ts"),
        import("./subject.ts"),
        import("../console/table.ts"),
        import("../machines/machine-names.ts"),
        import("../console/signals.ts"),
      ]);
      const { since: sinceMs, until: untilMs, follow, json } = options;
      const signal = follow ? terminationSignal() : undefined;
      await using client = await operatorClient(options, "audit:read");
      const { machine, key } = await auditSubject(client, options);
      const nameOf = json ? (id: string) => id : await machineNames(client);
      const { head, line } = auditLayout(standardView());
      let heading = head;
      const calls = new AuditCalls((row) => {
        process.stdout.write(heading + line(row));
        heading = "";
      }, nameOf);
      const timer = follow ? setInterval(() => calls.flush(FOLLOW_FLUSH_MS), FOLLOW_FLUSH_MS) : undefined;
      try {
        for await (const entry of client.audit.query({ machine, key, sinceMs, untilMs, follow, signal })) {
          if (json) process.stdout.write(jsonLine(entry));
          else calls.add(entry);
        }
      } catch (thrown) {
        if (!signal?.aborted) throw thrown;
      } finally {
        clearInterval(timer);
        calls.flush();
      }
    });
  registerAuditVerify(audit);
}
