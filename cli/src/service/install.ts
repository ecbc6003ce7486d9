import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { isErrno } from "@cmdop/kit";
import { CmdopError } from "@cmdop/sdk";
import type { Manager } from "./manager.ts";
import { homeOfUnit } from "./unit-words.ts";

/** Refuses to replace a unit of another home, or one that cmdop has not written. */
export async function refuseForeignUnit(manager: Manager, text: string): Promise<void> {
  const found = await readUnit(manager.unitFile);
  const home = homeOfUnit(text);
  if (found !== undefined && homeOfUnit(found) !== home) {
    throw new CmdopError("AlreadyExists", `${manager.unitFile} belongs to another home.`, {
      next: `systemctl disable --now ${manager.unit} ends it, rm ${manager.unitFile} removes it; its state stays where it is.`,
    });
  }
}

/** Writes the unit, and enables and starts it where systemd runs. Returns whether it did. */
export async function installUnit(manager: Manager, text: string, isToStart: boolean): Promise<boolean> {
  await refuseForeignUnit(manager, text);
  await mkdir(path.dirname(manager.unitFile), { recursive: true });
  const aside = `${manager.unitFile}.new`;
  await writeFile(aside, text, { mode: 0o644 });
  await rename(aside, manager.unitFile);
  if (!manager.isRunning || !isToStart) return false;
  await manager.systemctl("daemon-reload");
  await manager.systemctl("enable", manager.unit);
  await manager.systemctl("restart", manager.unit);
  return true;
}

/** Removes the unit, and stops it first unless `stop` is false. Returns the home that it was for. */
export async function uninstallUnit(manager: Manager, stop: boolean): Promise<string> {
  const found = await readUnit(manager.unitFile);
  if (found === undefined) {
    throw new CmdopError("NotFound", `Nothing is installed: ${manager.unitFile} does not exist.`, {
      next: "Say --user or --system, as it was installed.",
    });
  }
  const home = homeOfUnit(found);
  if (home === undefined) {
    throw new CmdopError("AlreadyExists", `${manager.unitFile} was not written by cmdop.`, {
      next: "Remove it by hand, if it is not needed.",
    });
  }
  const isToStop = manager.isRunning && stop;
  if (isToStop) await manager.systemctl("disable", "--now", manager.unit);
  await rm(manager.unitFile);
  if (isToStop) await manager.systemctl("daemon-reload");
  return home;
}

async function readUnit(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (thrown) {
    if (isErrno(thrown, "ENOENT")) return undefined;
    throw thrown;
  }
}
