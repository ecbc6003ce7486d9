import type { Command } from "commander";
import { splitAtDashes } from "../console/arguments.ts";
import { ExitWith, usageError } from "../console/exit.ts";

export function registerShell(program: Command): void {
  program
    .command("shell")
    .description("open a terminal on a machine; it survives a lost link, and goes on when you leave it")
    .usage("[MACHINE] [-- PROGRAM [ARGUMENT...]]")
    .argument("[words...]", "id or name of the machine; after -- a program instead of the login shell")
    .addHelpText(
      "after",
      `
Examples:
  cmdop shell web-1
  cmdop shell web-1 -- top
  echo "uptime; exit" | cmdop shell web-1

Escape sequences, at the beginning of a line (after Enter):
  ~.  detach: leave, and the session lives on; cmdop attach comes back to it
  ~?  list the escape sequences
  ~~  send a tilde

Everything else goes to the machine, Ctrl-C too. When the link drops, the last row says so;
what is typed meanwhile is kept and sent once. Closing the terminal window detaches.
Where standard input is no terminal, it is typed as it is, and Ctrl-D after it.

Exit codes: the shell's own; 128 + N when signal N ended it; 0 when you detached; 130 when
the session was closed; 255 when cmdop itself failed or the outcome is unknown.`,
    )
    .action(async (words: string[]) => {
      const { before, behind } = splitAtDashes(words, process.argv);
      const [machine, ...others] = before;
      if (others.length > 0) {
        throw usageError(
          "a shell is on one machine.",
          "Put -- before the program: cmdop shell MACHINE -- PROGRAM.",
        );
      }
      if (behind?.length === 0) {
        throw usageError("the program is missing.", "Name it after --, or leave -- out for the login shell.");
      }
      const { runShell } = await import("./run-shell.ts");
      throw new ExitWith(await runShell(machine, behind));
    });
}
