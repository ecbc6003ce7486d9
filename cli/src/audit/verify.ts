import type { Command } from "commander";
import { EXIT_FAILURE, ExitWith } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";
import { passphraseFdOption, relayOption } from "../owner/options.ts";
import type { OwnerOptions } from "../owner/owner.ts";

/** All that is kept holds, but records are gone that were there when the heads were kept. */
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
    .description("compute every chain of records anew and say where somebody has been")
    .option(
      "--heads <file>",
      "compare with the ends that this file keeps, and keep the new ones when all is well",
    )
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

Finds records that were changed, removed, moved or cut off. Whoever holds the relay's disk can
cut off its own chain's end and write it anew: keep the heads elsewhere, and verify regularly.

A chain is bounded, and loses its oldest records where more come. With --heads it says how many
have gone since the last time: verify more often than that, and ask who makes so many calls.

Exit codes: 0 when all is well, 1 when it is not, 3 when all that is kept holds but records are gone
that were there when the heads were kept. --json: "gone" and "warnings" of each chain.`,
    )
    // --machine and --json are of the parent, too, and are taken by whichever sees them first.
    .action(async (_own: VerifyCommandOptions, command: Command) => {
      const options = command.optsWithGlobals<VerifyCommandOptions>();
      const [{ operatorClient }, { readHeads, writeHeads }, { chainLines }, { printable }] =
        await Promise.all([
          import("../owner/operator.ts"),
          import("./heads-file.ts"),
          import("./chain-lines.ts"),
          import("../console/printable.ts"),
        ]);
      const { heads: file, machine, askMachines, json } = options;
      const heads = file === undefined ? undefined : await readHeads(file);
      await using client = await operatorClient(options, "audit:read");
      const report = await client.audit.verify({ heads, machine, askMachines });
      process.stdout.write(json ? jsonLine(report) : report.chains.map(chainLines).join(""));
      if (!json) for (const note of report.notes) process.stdout.write(`note    ${printable(note)}\n`);
      if (!report.ok) {
        process.stderr.write(
          "error: the records do not hold together.\nnext:  Keep a copy of the audit files of relay and machine, and find out who could write to them.\n",
        );
        throw new ExitWith(EXIT_FAILURE);
      }
      if (file === undefined) return;
      await writeHeads(file, report.heads);
      if (!json)
        process.stderr.write(
          `${heads === undefined ? "heads are kept" : "heads agree, the new ones are kept"} in ${file}\n`,
        );
      if (report.chains.every(({ gone }) => gone === 0)) return;
      process.stderr.write(
        "warning: records that were there when the heads were kept are gone; what is left holds.\nnext:    Verify more often, and look who makes so many calls: cmdop audit.\n",
      );
      throw new ExitWith(EXIT_MOVED);
    });
}
