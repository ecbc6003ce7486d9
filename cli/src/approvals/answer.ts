import type { Command } from "commander";
import { EXIT_FAILURE, ExitWith } from "../console/exit.ts";
import { jsonLine } from "../console/json-line.ts";

interface AnswerCommandOptions {
  machine?: string;
  local?: boolean;
  reason?: string;
  hash?: string;
  json?: boolean;
}

export function registerApprove(program: Command): void {
  answering(program, "approve", "let a call run that waits for a person").action(
    (id: string, options: AnswerCommandOptions) => answer("approve", id, options),
  );
}

export function registerRefuse(program: Command): void {
  answering(program, "refuse", "refuse a call that waits for a person")
    .option("--reason <text>", "why, for the asking caller: at most 500 characters")
    .action((id: string, options: AnswerCommandOptions) => answer("refuse", id, options));
}

function answering(program: Command, verb: "approve" | "refuse", description: string): Command {
  return program
    .command(verb)
    .description(`${description}; needs a key with the scope approve, other than the asking one`)
    .argument("<id>", "the approval's id, or how it begins")
    .option("--machine <machine>", "where it waits; all machines that the key reaches unless given")
    .option("--local", "it waits on this machine: answer through its own socket")
    .option("--json", "print one line of JSON: the call, and answered")
    .option("--hash <hash>", "answer only if its hash begins so, as cmdop approvals has shown it")
    .addHelpText(
      "after",
      `
Examples:
  cmdop approvals
  cmdop ${verb} 3f2a${verb === "refuse" ? ' --reason "not on a Friday"' : " --hash 9c41d2e8a1b20f37"}

The first answer counts. A yes is for that one call, by its hash: the machine compares what it carries
out with it. What its caller sends later (an upload's content, input that stays open) is not in it.`,
    );
}

async function answer(verb: "approve" | "refuse", id: string, options: AnswerCommandOptions): Promise<void> {
  const [{ approvalsClient, desks, listWaiting, onlyWaiting, checkHash, waitingText }, { reportError }] =
    await Promise.all([import("./approvals.ts"), import("../console/exit.ts")]);
  await using client = approvalsClient(options);
  const asked = await desks(client, options);
  const { waiting, failed } = await listWaiting(asked);
  if (waiting.length === 0 && failed[0] !== undefined) {
    // Nobody could be asked, or those who could have nothing: whatever is sought may wait where it failed.
    for (const { error } of failed) reportError(error);
    throw new ExitWith(EXIT_FAILURE);
  }
  const call = onlyWaiting(waiting, id);
  if (options.hash !== undefined) checkHash(call, options.hash);
  const desk = asked.find(({ machineId }) => machineId === call.machineId);
  if (verb === "approve") await desk?.approvals.approve(call);
  else await desk?.approvals.refuse(call.approvalId, options.reason);
  const answered = verb === "approve" ? "approved" : "refused";
  process.stdout.write(options.json ? jsonLine({ ...call, answered }) : `${answered} ${waitingText(call)}`);
}
