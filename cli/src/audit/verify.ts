import { CmdopError } from "@cmdop/proto";
import type { Command } from "commander";
import { EXIT_FAILURE, ExitWith, reportError } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";
import { note, warn } from "../console/output.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

/** Exit code when all kept records are intact, but records have gone since the heads were kept. */
const EXIT_MOVED = 3;

interface VerifyCommandOptions extends OwnerOptions {
  heads?: string;
  machine?: string;
  askMachines: boolean;
  json?: boolean;
}

export function registerAuditVerify(audit: Command): void {
  audit
    .command("verify")
    .description("recompute every chain of records and report where records were tampered with")
    .option("--heads <file>", "compare with the chain ends in this file, and update it when all is well")
    .option("--machine <machine>", "only the chains of this machine, by name or id")
    .option("--no-ask-machines", "do not ask the machines that are online where their chains end")
    .addOption(relayOption())
    .addOption(passphraseFdOption())
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop audit verify
  cmdop audit verify --heads /media/safe/heads.json

Finds records that were changed, removed, moved or cut off. Anyone who controls the relay's disk can
rewrite or cut off the end of its own chain: keep the heads elsewhere, and verify regularly.

A chain has a maximum size, beyond which it loses its oldest records. With --heads the report says how
many have gone since the last time. Verify more often then, and find out who makes so many calls.

Exit codes: 0 when all is well; 1 when it is not; 3 when the kept records are intact, but some have gone
since the heads were kept. --json: "gone" and "warnings" of each chain.`,
    )
    // The parent has --machine and --json too, and the first command to see them takes them.
    .action(async (_own: VerifyCommandOptions, command: Command) => {
      const options = command.optsWithGlobals<VerifyCommandOptions>();
      const [{ operatorClient }, { auditSubject }, { readHeads, writeHeads }, { chainLines }, { printable }] =
        await Promise.all([
          import("../owner/operator.ts"),
          import("./subject.ts"),
          import("./heads-file.ts"),
          import("./chain-lines.ts"),
          import("../console/printable.ts"),
        ]);
      const { heads: file, askMachines, json } = options;
      const heads = file === undefined ? undefined : await readHeads(file);
      await using client = await operatorClient(options, "audit:read");
      const { machine } = await auditSubject(client, { machine: options.machine });
      const report = await client.audit.verify({ heads, machine, askMachines });
      process.stdout.write(json ? jsonLine(report) : report.chains.map(chainLines).join(""));
      if (!json) for (const note of report.notes) process.stdout.write(`note    ${printable(note)}\n`);
      if (!report.ok) {
        reportError(new CmdopError("AuditBroken", "The records are not consistent."));
        throw new ExitWith(EXIT_FAILURE);
      }
      if (file === undefined) return;
      await writeHeads(file, report.heads);
      if (!json)
        note(`${heads === undefined ? "heads are kept" : "heads agree, the new ones are kept"} in ${file}`);
      if (report.chains.every(({ gone }) => gone === 0)) return;
      warn(
        "records have gone since the heads were kept; the remaining ones are intact.\nnext:    Verify more often, and find out who makes so many calls: cmdop audit.",
      );
      throw new ExitWith(EXIT_MOVED);
    });
}
