import { CmdopError } from "@cmdop/proto";
import type { Command } from "commander";
import { EXIT_FAILURE, ExitWith, reportError } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";
import { note } from "../console/output.ts";

interface ApprovalsCommandOptions {
  machine?: string;
  local?: boolean;
  follow?: boolean;
  json?: boolean;
}

/** Between two looks at what waits, in milliseconds: a person who follows is not quicker. */
const LOOK_EVERY_MS = 2_000;

export function registerApprovals(program: Command): void {
  program
    .command("approvals")
    .description("list the calls that wait for a person; needs a key with the scope approve")
    .option("--machine <machine>", "only those of this machine; all that the key reaches unless given")
    .option("--local", "those of this machine, through its own socket")
    .option("-f, --follow", "go on with those that come; Ctrl-C ends it")
    .option("--json", "print JSON, a line a call")
    .addHelpText(
      "after",
      `
Examples:
  cmdop approvals
  cmdop approvals --machine web-1 --follow
  cmdop approve 3f2a
  cmdop refuse 3f2a --reason "not on a Friday"

What will run is shown a field a line, with everything made visible that could mislead; of what is
long both ends, with its size and SHA-256. Silence is a no.`,
    )
    .action(async (options: ApprovalsCommandOptions) => {
      const [{ approvalsClient, desks, listWaiting, waitingText }, { terminationSignal }, { pause }] =
        await Promise.all([import("./approvals.ts"), import("../console/signals.ts"), import("@cmdop/kit")]);
      const stop = options.follow ? terminationSignal() : undefined;
      await using client = approvalsClient(options);
      let shown = new Set<string>();
      let complained = new Set<string>();
      do {
        const asked = await desks(client, options);
        const { waiting, failed } = await listWaiting(asked);
        for (const call of waiting) {
          if (shown.has(call.approvalId)) continue;
          process.stdout.write(options.json ? jsonLine(call) : waitingText(call));
        }
        for (const { machine, error } of failed) {
          if (complained.has(machine)) continue;
          const { code, message, next } = error;
          reportError(new CmdopError(code, `${machine}: ${message}`, { next }));
        }
        shown = new Set(waiting.map(({ approvalId }) => approvalId));
        complained = new Set(failed.map(({ machine }) => machine));
        if (stop === undefined) {
          if (waiting.length === 0 && failed.length < asked.length) note("Nothing waits.");
          if (asked.length === 0) note("No machine that this key reaches is online.");
          if (failed.length > 0) throw new ExitWith(EXIT_FAILURE);
        }
      } while (stop !== undefined && (await pause(LOOK_EVERY_MS, { signal: stop })));
    });
}
