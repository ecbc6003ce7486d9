import type { Command } from "commander";
import { registerOwnerRecover } from "./recover.ts";
import { registerOwnerRelay } from "./relay-command.ts";
import { registerOwnerRotate } from "./rotate.ts";
import { registerOwnerShow } from "./show.ts";
import { registerOwnerTeach } from "./teach.ts";

export function registerOwner(program: Command): void {
  const owner = program
    .command("owner")
    .description("the owner key and this home's relay: show, relay, rotate, recover, teach")
    .enablePositionalOptions();
  registerOwnerShow(owner);
  registerOwnerRelay(owner);
  registerOwnerRotate(owner);
  registerOwnerRecover(owner);
  registerOwnerTeach(owner);
}
