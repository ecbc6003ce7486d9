import type { Command } from "commander";
import { jsonLine } from "../console/json-line.ts";

export function registerOwnerRelay(owner: Command): void {
  owner
    .command("relay")
    .description("show this home's relay, or make another one this home's")
    .argument("[id@host:port]", "the relay, as cmdop relay printed it")
    .option("--json", "print one line of JSON: relay")
    .addHelpText(
      "after",
      `
Examples:
  cmdop owner relay
  cmdop owner relay ID@relay.example:7443

The owner's commands use it, and cmdop up where this machine has not joined another. The profile's key is for the relay that it was made at: a key
for another one is made with cmdop keys create NAME --save. cmdop up --relay does all of it at once.`,
    )
    .action(async (target: string | undefined, { json }: { json?: boolean }) => {
      const [{ rememberedRelay, rememberRelay }, { CmdopError, parseRelayTarget }] = await Promise.all([
        import("./relay.ts"),
        import("@cmdop/sdk"),
      ]);
      if (target !== undefined) await rememberRelay(parseRelayTarget(target));
      const relay = await rememberedRelay();
      if (relay === undefined) {
        throw new CmdopError("NotFound", "This home has no relay yet.", {
          next: "Run cmdop up, or start one with cmdop relay and name it here.",
        });
      }
      process.stdout.write(json ? jsonLine({ relay }) : `${relay}\n`);
    });
}
