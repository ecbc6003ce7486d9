import { existsSync } from "node:fs";
import { agentStateDir } from "@cmdop/proto";
import { CmdopError } from "@cmdop/sdk";
import { keepServiceEnvironment, serviceEnvironmentFile } from "../agent/service-environment.ts";
import { stopManaged } from "../agent/stop-managed.ts";
import { UNIT_NAME, unitText } from "../agent/unit.ts";
import { usageError } from "../console/exit.ts";
import { homePaths } from "../home/home.ts";
import { linkedAgent } from "../home/running-agent.ts";
import { ownCommand } from "../own-command.ts";
import { installUnit } from "../service/install.ts";
import { systemdManager } from "../service/manager.ts";
import { lingerText, systemctlWords, unitScope, warnOfOthers } from "../service/scope.ts";
import type { UpOptions } from "./bring-up.ts";

/**
 * Refuses what a service of systemd can't be, before anything is signed or started, and stops the one that
 * runs. Returns a function that starts it again: also in a process that goes on where another has stopped it.
 */
export async function stopInstalled({ port }: UpOptions): Promise<() => Promise<void>> {
  if (port === 0) {
    throw usageError("a service needs a port that stays.", "Say --port with another number than 0.");
  }
  const manager = systemdManager(unitScope({}), UNIT_NAME);
  if (manager.isRunning) {
    const isInstalled = existsSync(manager.unitFile);
    await stopManaged(manager);
    return async () => (isInstalled ? manager.systemctl("start", manager.unit) : undefined);
  }
  throw new CmdopError("Unimplemented", "systemd does not run here, so nothing can be installed.", {
    next: "Let this machine's or container's own start script run cmdop up.",
  });
}

/** Writes the unit that runs `cmdop up`, starts it, and waits until the machine is online. Returns what to say. */
export async function installUp({ host, port, log, logLevel }: UpOptions): Promise<string> {
  const scope = unitScope({});
  const home = homePaths.home();
  const own = ownCommand();
  // One line in the journal, instead of a page.
  const command = ["up", "--json", "--host", host, "--port", String(port)];
  if (log !== undefined) command.push("--log", log);
  if (logLevel !== undefined) command.push("--log-level", logLevel);
  const environmentFile = serviceEnvironmentFile(home);
  if (scope === "system") await warnOfOthers([own.program, own.main, agentStateDir(home)]);
  await keepServiceEnvironment(home);
  const manager = systemdManager(scope, UNIT_NAME);
  await installUnit(manager, unitText({ scope, ...own, command, home, environmentFile }), true);
  const { name, linked, linkError, linkNext } = await linkedAgent();
  if (!linked) {
    throw new CmdopError(
      "MachineOffline",
      `systemd has started ${name}, but it is not online: ${linkError}`,
      {
        next: `${linkNext} See ${systemctlWords(scope)} status ${UNIT_NAME}.`,
      },
    );
  }
  return `wrote ${manager.unitFile}: ${systemctlWords(scope)} status ${UNIT_NAME}\n${lingerText(scope)}`.trimEnd();
}
