import type { Command } from "commander";

export function registerInit(program: Command): void {
  program
    .command("init")
    .description("make the owner key: who holds it decides who may do what")
    .option("--json", "print one line of JSON")
    .action(async (options: { json?: boolean }) => {
      const { createOwner, loadOwner } = await import("../owner.ts");
      const existing = await loadOwner();
      const owner = existing ?? (await createOwner());
      if (options.json) {
        process.stdout.write(
          `${JSON.stringify({ owner: owner.key.publicKey, created: existing === undefined })}\n`,
        );
        return;
      }
      process.stdout.write(`owner ${owner.key.publicKey}\n`);
      if (existing !== undefined) {
        process.stdout.write("This home had an owner key already; nothing was changed.\n");
        return;
      }
      const recovery = "recoveryFile" in owner ? owner.recoveryFile : "";
      process.stdout.write(
        [
          "",
          `Move ${recovery} to a safe place off this machine:`,
          "it is a second owner, for the day when this key is lost or stolen.",
          "",
          "Next, where the relay shall run:",
          `  cmdop relay --owner ${owner.key.publicKey}`,
          "",
        ].join("\n"),
      );
    });
}
