import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import type { MachineDescription, MachineHealth } from "@cmdop/sdk";
import { expect, it, onTestFinished, test, vi } from "vitest";
import { VERSION } from "../version.ts";
import { examineAgent } from "./agent-checks.ts";
import { examineComputer, examineNode, examineSpace } from "./computer.ts";
import type { Finding } from "./finding.ts";
import { examineMachine } from "./machine-checks.ts";
import { examineClock, examineVersion } from "./relay-checks.ts";
import { reportText } from "./report.ts";

const GiB = 1024 ** 3;
const NOW_MS = Date.parse("2026-11-30T10:00:00Z");

const HEALTHY: MachineDescription & MachineHealth = {
  id: "id",
  name: "web-1",
  labels: {},
  hostname: "web",
  platform: "linux",
  arch: "x64",
  release: "6.1",
  agentVersion: VERSION,
  user: "root",
  home: "/root",
  cpus: 2,
  memoryBytes: 4 * GiB,
  uptimeSeconds: 1,
  scopes: [],
  policyError: "",
  diskError: "",
  relay: "relay@host:1",
  linked: true,
  linkError: "",
  linkNext: "",
  timeMs: NOW_MS,
  nodeVersion: process.versions.node,
  agentMemoryBytes: 80_000_000,
  disks: [{ path: "/", purpose: "state", freeBytes: GiB, totalBytes: GiB, freeFiles: 0, totalFiles: 0 }],
  maxOpenFiles: 65_536,
  maxWatches: 524_288,
  shell: "/bin/bash",
  model: "anthropic:x",
  modelError: "",
  modelNext: "",
  managed: true,
  load: 0,
  freeMemoryBytes: GiB,
};

/** A home of its own for a test, which CMDOP_HOME names meanwhile. */
async function newHome(): Promise<string> {
  const home = await mkdtemp(path.join(os.tmpdir(), "cmdop-doctor-"));
  vi.stubEnv("CMDOP_HOME", home);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(home, { recursive: true });
  });
  return home;
}

const bad = (findings: readonly Finding[]) =>
  findings.filter(({ verdict }) => verdict !== "ok").map(({ check, verdict }) => [check, verdict]);

it("finds nothing on a healthy machine, and says so", () => {
  const findings = examineMachine(HEALTHY, NOW_MS);
  expect(bad(findings)).toEqual([]);
  expect(reportText(findings)).toMatch(/\nall is well\n$/);
});

test.for<[string, Partial<MachineHealth & MachineDescription>, string, string]>([
  ["is not linked", { linked: false, linkError: "refused", linkNext: "do this" }, "machine link", "failed"],
  ["has another time", { timeMs: NOW_MS - 3_600_000 }, "machine clock", "failed"],
  ["is a little slow", { timeMs: NOW_MS - 20_000 }, "machine clock", "warning"],
  ["has an old agent", { agentVersion: "0.0.1" }, "machine version", "warning"],
  ["has an old Node", { nodeVersion: "20.20.2" }, "machine node", "failed"],
  ["can't write its state", { diskError: "ENOSPC" }, "machine state", "failed"],
  ["has a broken policy", { policyError: "Expected }" }, "machine policy", "failed"],
  ["may open few files", { maxOpenFiles: 256 }, "machine open files", "warning"],
  ["may watch few directories", { maxWatches: 8_192 }, "machine watches", "warning"],
  ["has no shell", { shell: "" }, "machine shell", "warning"],
  ["has no model", { model: "", modelError: "none", modelNext: "set one" }, "machine model", "warning"],
  [
    "has a full disk",
    { disks: [{ path: "/v", purpose: "home", freeBytes: 0, totalBytes: GiB, freeFiles: 9, totalFiles: 9 }] },
    "machine disk: home",
    "failed",
  ],
])("has one line and a next step for a machine that %s", ([, change, check, verdict]) => {
  const findings = examineMachine({ ...HEALTHY, ...change }, NOW_MS);
  expect(bad(findings)).toEqual([[check, verdict]]);
  const next = findings.find(({ verdict }) => verdict !== "ok")?.next;
  expect(next).toMatch(/\w/);
  expect(reportText(findings)).toContain(`next: ${next}`);
});

it("shows nothing of a machine's words as its own lines or as control characters", () => {
  const text = reportText(examineMachine({ ...HEALTHY, shell: "/bin/x\nok  all\u001b[2J" }, NOW_MS));
  expect(text).not.toContain("\u001b");
  expect(text).not.toContain("\nok  all");
});

test("versions, clocks and disks at their bounds", () => {
  expect(examineNode("node", "24.0.0").verdict).toBe("ok");
  expect(examineNode("node", "100.0.0").verdict).toBe("ok");
  expect(examineVersion("v", "The relay", VERSION).verdict).toBe("ok");
  expect(examineClock("c", "It", NOW_MS, NOW_MS + 9_000).verdict).toBe("ok");
  expect(examineClock("c", "It", NOW_MS, NOW_MS + 121_000).text).toContain("121 s ahead of");
  const room = (freeBytes: number, freeFiles = 1_000_000, totalFiles = 2_000_000) =>
    examineSpace("d", { path: "/", freeBytes, freeFiles, totalFiles }).verdict;
  expect([room(GiB), room(100 * 1024 ** 2), room(1024 ** 2)]).toEqual(["ok", "warning", "failed"]);
  expect([room(GiB, 10), room(GiB, 0, 0)]).toEqual(["failed", "ok"]);
});

it("says of a home that others may write into why nothing in it can be relied on", async () => {
  const home = await newHome();
  expect(bad(examineComputer())).toEqual([]);
  vi.stubEnv("CMDOP_HOME", path.join(home, "none"));
  expect(bad(examineComputer())).toEqual([["home", "warning"]]);
  const open = path.join(home, "open");
  await mkdir(open, { mode: 0o777 });
  await chmod(open, 0o777);
  vi.stubEnv("CMDOP_HOME", open);
  expect(bad(examineComputer())).toEqual([["home", "failed"]]);
});

it("tells a relay of this home that does not run from a port that another program has", async () => {
  const home = await newHome();
  expect(await examineAgent(undefined)).toEqual([]);
  for (const name of ["relay", "owner"]) await mkdir(path.join(home, name), { mode: 0o700 });
  await writeFile(path.join(home, "relay", "ca.pem"), "");
  const other = net.createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  const address = other.address();
  if (address === null || typeof address === "string") throw new TypeError("no TCP port");
  const { port } = address;
  await writeFile(path.join(home, "owner", "relay"), `${"A".repeat(43)}@127.0.0.1:${port}\n`, {
    mode: 0o600,
  });
  expect(await examineAgent(undefined)).toMatchObject([
    {
      check: "port",
      verdict: "failed",
      text: expect.stringContaining(`Another program has the port ${port}`),
    },
  ]);
  await new Promise((resolve) => other.close(resolve));
  expect(await examineAgent(undefined)).toMatchObject([
    { check: "port", verdict: "failed", next: "Run cmdop up." },
  ]);
});
