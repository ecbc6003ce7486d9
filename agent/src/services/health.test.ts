import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { CmdopError } from "@cmdop/proto";
import { expect, it, onTestFinished } from "vitest";
import { healthOf, isManaged } from "./health.ts";

it("says what there is, and leaves out a disk that can't be asked", async () => {
  const stateDir = await mkdtemp(path.join(os.tmpdir(), "cmdop-health-"));
  onTestFinished(() => rm(stateDir, { recursive: true }));
  let linkError: CmdopError | undefined = new CmdopError("LinkLost", "cut", { next: "wait" });
  const health = healthOf({
    stateDir,
    relay: { id: "relay", address: "host:1" },
    linkError: () => linkError,
    home: () => path.join(stateDir, "none"),
    lineShell: () => undefined,
  });
  const answer = await health();
  expect(answer).toMatchObject({
    relay: "relay@host:1",
    linked: false,
    linkError: "cut",
    linkNext: "wait",
    nodeVersion: process.versions.node,
    shell: "",
    model: "",
    modelError: expect.stringContaining("no model"),
  });
  expect(answer.disks.map(({ purpose }) => purpose)).toEqual(["state", "temporary files"]);
  expect(answer.disks[0]?.totalBytes).toBeGreaterThan(0n);
  expect(answer.maxOpenFiles).toBeGreaterThan(0n);
  linkError = undefined;
  expect(await health()).toMatchObject({ linked: true, linkError: "" });
});

it("tells an agent that systemd runs from one in a terminal that systemd runs", () => {
  expect(isManaged({}, 7)).toBe(false);
  expect(isManaged({ INVOCATION_ID: "a" }, 7)).toBe(true);
  expect(isManaged({ INVOCATION_ID: "a", SYSTEMD_EXEC_PID: "7" }, 7)).toBe(true);
  expect(isManaged({ INVOCATION_ID: "a", SYSTEMD_EXEC_PID: "6" }, 7)).toBe(false);
});
