import type { Command } from "commander";
import { usageError } from "../console/exit.ts";
import { warn } from "../console/output.ts";
import { printable } from "../console/printable.ts";
import type { Manager } from "./manager.ts";
import type { UnitScope } from "./unit-words.ts";

/** Options that name a systemd. */
export interface ScopeOptions {
  readonly user?: boolean;
  readonly system?: boolean;
}

/** Adds `--user` and `--system`. */
export function addScopeOptions(command: Command): Command {
  return command
    .option("--user", "by this user's own systemd; the default unless root asks")
    .option("--system", "by the machine's systemd; the default for root");
}

/** Names the systemd that is meant. */
export function unitScope({ user, system }: ScopeOptions): UnitScope {
  if (user && system) throw usageError("--user and --system exclude each other.", "Say one of them.");
  const isRoot = process.getuid?.() === 0;
  if (system && !isRoot) {
    throw usageError("only root can install it for the machine.", "Use sudo, or say --user.");
  }
  return user || !isRoot ? "user" : "system";
}

/** Warns where root would run files of another user: under sudo, Node and cmdop are often a user's own. */
export async function warnOfOthers(files: readonly string[]): Promise<void> {
  const { changeableByOthers } = await import("./changeable.ts");
  for (const found of await changeableByOthers(files)) {
    warn(`this will run as root, but others than root can change ${printable(found)}`);
  }
}

/** The command that a person gives to systemd, up to its verb. */
export function systemctlWords(scope: UnitScope): string {
  return scope === "user" ? "systemctl --user" : "systemctl";
}

/** What is left to do for a unit that was written and not started. */
export function howToStart(scope: UnitScope, { isRunning, unit }: Manager): string {
  const systemctl = systemctlWords(scope);
  return isRunning
    ? `Start it with: ${systemctl} daemon-reload && ${systemctl} enable --now ${unit}\n`
    : `systemd does not run here. Where it does, start it with: ${systemctl} enable --now ${unit}\n`;
}

/** What a user's own systemd needs beyond it. */
export function lingerText(scope: UnitScope): string {
  return scope === "user" ? "So that it runs while you are logged out, too: loginctl enable-linger\n" : "";
}
