import type { Command } from "commander";
import { ExitWith } from "../console/exit.ts";

export function registerModel(program: Command): void {
  const model = program
    .command("model")
    .description("the model that this machine's LLM agents use")
    .enablePositionalOptions();
  model
    .command("test")
    .description("ask the machine's model for one word, and print its name and the time that it took")
    .argument("[machine]", "id or name of another machine; default this one, through its own socket")
    .option("--json", "print one line of JSON")
    .addHelpText(
      "after",
      `
Examples:
  cmdop model test
  sudo cmdop model test            # where the agent is root's
  cmdop model test web-1

The agent must be running there, because its environment names the model: CMDOP_MODEL=provider:model,
CMDOP_MODEL_API_KEY and CMDOP_MODEL_BASE_URL, or model.json in its state directory.

Exit codes: 0 when it answers; 1 otherwise, with advice on the settings.`,
    )
    .action(async (machine: string | undefined, { json = false }: { json?: boolean }) => {
      const { testModel } = await import("./model-test.ts");
      throw new ExitWith(await testModel(machine, json));
    });
}
