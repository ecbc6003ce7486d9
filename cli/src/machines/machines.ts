import type { Command } from "commander";
import { registerMachinesLabel } from "./label.ts";
import { registerMachinesList } from "./list.ts";
import { registerMachinesRelease } from "./release.ts";
import { registerMachinesRemove } from "./remove.ts";
import { registerMachinesRename } from "./rename.ts";

export function registerMachines(program: Command): void {
  const machines = program
    .command("machines")
    .description("list the machines that the key reaches; rename, label, release and remove them")
    .enablePositionalOptions()
    .addHelpText(
      "after",
      `
Examples:
  cmdop machines
  cmdop machines rename web-1 shop-1
  cmdop machines label shop-1 team=payments canary-
  cmdop machines remove shop-1`,
    );
  registerMachinesList(machines);
  registerMachinesRename(machines);
  registerMachinesLabel(machines);
  registerMachinesRelease(machines);
  registerMachinesRemove(machines);
}
