import type { Command } from "commander";
import { registerKeysCreate } from "./create.ts";
import { registerKeysList } from "./list.ts";
import { registerKeysRevoke } from "./revoke.ts";
import { registerKeysRotate } from "./rotate.ts";
import { registerKeysShow } from "./show.ts";

export function registerKeys(program: Command): void {
  const keys = program
    .command("keys")
    .description("API keys: make, list, show, revoke, rotate")
    .enablePositionalOptions()
    .addHelpText(
      "after",
      `
Where this home has the owner key, these act as the owner. Elsewhere they use the key of
CMDOP_API_KEY or the profile: with the scope admin it can list keys and block them.`,
    );
  registerKeysCreate(keys);
  registerKeysList(keys);
  registerKeysShow(keys);
  registerKeysRevoke(keys);
  registerKeysRotate(keys);
}
