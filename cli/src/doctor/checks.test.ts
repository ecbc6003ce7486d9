import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { generateKeyPair } from "@cmdop/proto";
import { Relay } from "@cmdop/relay";
import { CmdopError, type MachineDescription, type MachineHealth } from "@cmdop/sdk";
import { expect, it, onTestFinished, test, vi } from "vitest";
import { rememberRelay } from "../owner/relay.ts";
import { VERSION } from "../version.ts";
import { examineAgent } from "./agent-checks.ts";
import { examineComputer, examineNode, examineSpace } from "./computer.ts";
import { type Finding, failedBy } from "./finding.ts";
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
  const evil = "x\nok  all is well\u001b[2J";
  const said = Object.fromEntries(
    Object.entries(HEALTHY).map(([name, value]) => [name, typeof value === "string" ? evil : value]),
  );
  const disks = HEALTHY.disks.map((disk) => ({ ...disk, purpose: evil, path: evil }));
  const machine = examineMachine({ ...HEALTHY, ...said, disks, linked: false }, NOW_MS);
  const text = reportText([...machine, failedBy("relay", new CmdopError("Internal", evil, { next: evil }))]);
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
  const badHomes = () => bad(examineComputer()).filter(([check]) => check === "home");
  expect(badHomes()).toEqual([]);
  vi.stubEnv("CMDOP_HOME", path.join(home, "none"));
  expect(badHomes()).toEqual([["home", "warning"]]);
  const open = path.join(home, "open");
  await mkdir(open, { mode: 0o777 });
  await chmod(open, 0o777);
  vi.stubEnv("CMDOP_HOME", open);
  expect(badHomes()).toEqual([["home", "failed"]]);
});

it("tells that another program has the port of this home's own relay, and that the relay itself has it", async () => {
  const home = await newHome();
  expect(await examineAgent(() => undefined)).toEqual([]);
  const relay = new Relay({
    stateDir: path.join(home, "relay"),
    ownerPublicKey: generateKeyPair().publicKey,
  });
  await relay.listen();
  const { id, address: itsAddress } = relay;
  await rememberRelay({ id, address: itsAddress });
  expect(await examineAgent(() => undefined)).toMatchObject([{ check: "own relay", verdict: "ok" }]);
  await relay.shutdown();
  const other = net.createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  const address = other.address();
  if (address === null || typeof address === "string") throw new TypeError("no TCP port");
  await rememberRelay({ id, address: `127.0.0.1:${address.port}` });
  expect(await examineAgent(() => undefined)).toMatchObject([
    {
      check: "own relay",
      verdict: "failed",
      text: expect.stringContaining(`Another program has the port ${address.port}`),
    },
  ]);
});
