import type { Command } from "commander";

/** main.ts answers the plain form itself, before anything else is loaded; here it has its help. */
export function registerVersion(program: Command): void {
  program
    .command("version")
    .description("say which cmdop this is, from when, and which protocol it speaks")
    .option("--json", "print one line of JSON")
    .action(async (options: { json?: boolean }) => {
      const { versionText } = await import("./version-text.ts");
      process.stdout.write(versionText(options.json ?? false));
    });
}
