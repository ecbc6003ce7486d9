import type { Command } from "commander";
import { machineAnd } from "../console/arguments.ts";
import { ExitWith } from "../console/exit.ts";

export function registerAttach(program: Command): void {
  program
    .command("attach")
    .description("come back to a session, or watch one: shows what it wrote, then goes on live")
    .usage("[MACHINE] SESSION")
    .argument("<words...>", "id or name of the machine; the session's id, or how it begins")
    .addHelpText(
      "after",
      `
Examples:
  cmdop attach web-1 3f2a
  cmdop sessions web-1      lists the sessions

Any number of people may be attached to a session; all of them type into it. After Enter,
~. leaves it as in cmdop shell.`,
    )
    .action(async (words: string[]) => {
      const { machine, id } = machineAnd(words, "attach", "SESSION");
      const { runAttach } = await import("./run-shell.ts");
      throw new ExitWith(await runAttach(machine, id));
    });
}
