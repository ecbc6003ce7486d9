import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unitText } from "../agent/unit.ts";
import { installUnit, uninstallUnit } from "./install.ts";
import type { Manager } from "./manager.ts";

let directory: string;
let home: string;
let said: string[];
let manager: Manager;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-unit-"));
  home = path.join(directory, "home");
  said = [];
  manager = {
    unit: "cmdop-agent.service",
    unitFile: path.join(directory, "units", "cmdop-agent.service"),
    isRunning: true,
    async systemctl(...args) {
      said.push(args.join(" "));
    },
  };
});
afterEach(() => rm(directory, { recursive: true }));

const unit = (): string => unitText({ scope: "user", program: "/node", main: "/main.ts", home });

describe("installing", () => {
  it("writes the unit, enables and starts it; again changes nothing but starts it anew", async () => {
    expect(await installUnit(manager, unit(), true)).toBe(true);
    expect(await readFile(manager.unitFile, "utf8")).toBe(unit());
    const steps = ["daemon-reload", "enable cmdop-agent.service", "restart cmdop-agent.service"];
    expect(said).toEqual(steps);
    await installUnit(manager, unit(), true);
    expect(said).toEqual([...steps, ...steps]);
  });

  it("only writes it where systemd does not run, or is not to start it", async () => {
    expect(await installUnit({ ...manager, isRunning: false }, unit(), true)).toBe(false);
    expect(await installUnit(manager, unit(), false)).toBe(false);
    expect(said).toEqual([]);
  });

  it("does not replace another home's, nor somebody else's", async () => {
    await installUnit(manager, unit(), true);
    home = path.join(directory, "other");
    await expect(installUnit(manager, unit(), true)).rejects.toMatchObject({ code: "AlreadyExists" });
    await writeFile(manager.unitFile, "[Service]\n");
    await expect(installUnit(manager, unit(), true)).rejects.toMatchObject({ code: "AlreadyExists" });
  });
});

describe("uninstalling", () => {
  beforeEach(async () => {
    await installUnit(manager, unit(), true);
    said = [];
    await mkdir(path.join(home, "agent"), { recursive: true });
    await writeFile(path.join(home, "profile.json"), "");
  });

  it("stops it and removes the unit; the state stays", async () => {
    expect(await uninstallUnit(manager, true)).toBe(home);
    expect(said).toEqual(["disable --now cmdop-agent.service", "daemon-reload"]);
    await expect(stat(manager.unitFile)).rejects.toMatchObject({ code: "ENOENT" });
    await stat(path.join(home, "agent"));
  });

  it("says so where nothing is installed, and leaves what is not ours", async () => {
    await writeFile(manager.unitFile, "[Service]\n");
    await expect(uninstallUnit(manager, true)).rejects.toMatchObject({
      code: "AlreadyExists",
    });
    await rm(manager.unitFile);
    await expect(uninstallUnit(manager, true)).rejects.toMatchObject({
      code: "NotFound",
    });
    await stat(path.join(home, "agent"));
  });
});
