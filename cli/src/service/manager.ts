import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { userHome } from "@cmdop/kit";
import { CmdopError } from "@cmdop/sdk";
import type { UnitScope } from "./unit-words.ts";

/** systemctl answers at once, but for a stop it waits until the agent has ended its jobs. In milliseconds. */
const SYSTEMCTL_TIMEOUT_MS = 120_000;

/** One of systemd's managers, as far as an installation needs it. */
export interface Manager {
  /** The unit's name and its path. */
  readonly unit: string;
  readonly unitFile: string;
  /** True if systemd runs here: a container often has none. */
  readonly isRunning: boolean;
  /** Runs systemctl for this manager. Throws when it fails. */
  systemctl(...args: readonly string[]): Promise<void>;
}

/** The machine's manager, or the one of the user who asks. */
export function systemdManager(scope: UnitScope, unit: string): Manager {
  return {
    unit,
    unitFile: path.join(unitDirectory(scope), unit),
    // As sd_booted(3) tells it.
    isRunning: existsSync("/run/systemd/system"),
    systemctl: (...args) => systemctl(scope, unit, args),
  };
}

function unitDirectory(scope: UnitScope): string {
  if (scope === "system") return "/etc/systemd/system";
  const config = process.env.XDG_CONFIG_HOME;
  return path.join(config ? config : path.join(userHome() ?? "/", ".config"), "systemd", "user");
}

async function systemctl(scope: UnitScope, unit: string, args: readonly string[]): Promise<void> {
  const all = scope === "user" ? ["--user", ...args] : args;
  try {
    await promisify(execFile)("systemctl", all, { timeout: SYSTEMCTL_TIMEOUT_MS });
  } catch (cause) {
    const said = cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim() : String(cause);
    throw new CmdopError("Internal", `systemctl ${all.join(" ")} failed: ${said}`, {
      cause,
      next:
        scope === "user"
          ? "A user's systemd runs while the user is logged in (not after su or sudo); loginctl enable-linger lets it run always."
          : `Look at systemctl status ${unit} and journalctl -u ${unit}.`,
    });
  }
}
