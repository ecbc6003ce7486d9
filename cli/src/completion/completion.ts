import { Argument, type Command } from "commander";
import { SCRIPTS, SHELLS, type Shell } from "./scripts.ts";

/** Longest wait after Tab was pressed, in milliseconds: a relay that is away costs no more. */
const COMPLETION_LIMIT_MS = 2_000;

/** Most candidates that are printed: no shell shows more. */
const MAX_CANDIDATES = 1_000;

export function registerCompletion(program: Command, commandLine: () => Command): void {
  program
    .command("completion")
    .description(
      "print a script that lets the shell complete commands, machines, jobs, keys and remote paths",
    )
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText(
      "after",
      `
Examples:
  source <(cmdop completion bash)                                  # in ~/.bashrc
  source <(cmdop completion zsh)                                   # in ~/.zshrc
  cmdop completion fish > ~/.config/fish/completions/cmdop.fish

Names of machines and jobs, and paths behind MACHINE:, are asked for with the key of the environment
or the profile, for ${COMPLETION_LIMIT_MS / 1000} seconds at most. Where they can't be had, none are offered.`,
    )
    .action((shell: Shell) => {
      process.stdout.write(SCRIPTS[shell]);
    });
  program
    .command("__complete", { hidden: true })
    .argument("[words...]")
    .action(async (words: string[]) => {
      await printCompletion(commandLine(), words);
    });
}

/** Prints what may come next, in time or not at all, and never why not. */
async function printCompletion(program: Command, words: readonly string[]): Promise<void> {
  const [{ within }, { complete }, { findWords }] = await Promise.all([
    import("@cmdop/kit"),
    import("./complete.ts"),
    import("./find-words.ts"),
  ]);
  const findQuietly: typeof findWords = async (...args) => {
    try {
      return (await within(findWords(...args), COMPLETION_LIMIT_MS)) ?? [];
    } catch {
      // No key, no relay, no right: an error in the middle of a line helps nobody.
      return [];
    }
  };
  const { candidates, withFiles } = await complete(program, words, findQuietly);
  const lines = candidates.slice(0, MAX_CANDIDATES).map(({ value, about = "" }) => `${value}\t${about}\n`);
  process.stdout.write(lines.join("") + (withFiles ? ":files\n" : ""), () => process.exit());
}
