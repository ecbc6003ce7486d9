import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { agentStateDir } from "@cmdop/proto";
import { expect, it, onTestFinished } from "vitest";
import { checkPolicy, type PolicyReport } from "./check.ts";

async function checked(policy?: object | string): Promise<PolicyReport> {
  const home = await mkdtemp(path.join(os.tmpdir(), "cmdop-check-"));
  onTestFinished(() => rm(home, { recursive: true }));
  await mkdir(agentStateDir(home), { recursive: true });
  const text = typeof policy === "string" ? policy : JSON.stringify(policy);
  if (policy !== undefined) {
    await writeFile(path.join(agentStateDir(home), "policy.json"), text, { mode: 0o600 });
  }
  return checkPolicy({ home });
}

it("without a file nothing is bound, and that is said", async () => {
  const report = await checked();
  expect(report).toMatchObject({ found: false, bindsTerminal: false });
  expect(report.error).toBeUndefined();
  expect(report.why).toMatch(/the user of the agent: whoever has "terminal" can edit this policy/);
  expect(report.why).toMatch(/read the agent's state and key, and the key of its model/);
});

it("a broken file is an error that says where and why", async () => {
  expect(await checked("{")).toMatchObject({
    found: true,
    bindsTerminal: false,
    lines: [],
    error: expect.stringMatching(/policy\.json can't be used: .*JSON/),
  });
});

it("says what each field does", async () => {
  const { lines } = await checked({
    scopes: ["terminal", "files:read", "machines:read"],
    local: ["machines:read"],
    shells: ["/bin/sh"],
    ask: ["terminal"],
    askTimeoutMs: 60_000,
    limits: { maxRunningJobs: 3, maxSessions: 1, maxJobMs: 9_000 },
    redact: ["--password="],
  });
  const text = lines.join("\n");
  for (const part of [
    "Callers may have at most: terminal, files:read, machines:read.",
    "without a token may have at most: machines:read.",
    "Callers may start /bin/sh only (shells)",
    "with a shell among them, anything can be run",
    "must say yes, within 60 s, to terminal",
    "At most 3 jobs",
    "At most 1 sessions",
    "after 9 s",
    'hides what follows "--password="',
  ]) {
    expect(text).toContain(part);
  }
});

it.each([
  ["without a policy", undefined],
  ["with terminal withheld, too", { scopes: ["files:read", "files:write"] }],
])("says that files:write without paths is the full authority of a user: %s", async (_, policy) => {
  const { bindsTerminal, lines, why } = await checked(policy);
  expect(lines.join("\n")).toMatch(/files:write.*without paths.*\.bashrc.*authorized_keys.*cron/);
  expect([bindsTerminal, why]).toEqual([false, expect.stringMatching(/can edit this policy/)]);
});

it.each([
  ["roots", { scopes: ["files:write"], roots: ["/srv"] }],
  ["readOnly", { readOnly: true }],
  ["scopes", { scopes: ["files:read"] }],
])("and does not where %s binds it", async (_, policy) => {
  const { bindsTerminal, lines } = await checked(policy);
  expect(lines.join("\n")).not.toContain("without paths");
  expect(bindsTerminal).toBe(true);
});

it.each<[string[], string | undefined]>([
  [["files:write"], "/cmdop.v1.Exec/Start, /cmdop.v1.Sessions/Create"],
  [["/cmdop.v1.Exec/Start", "files:write"], "/cmdop.v1.Sessions/Create"],
  [["terminal"], undefined],
  [[], undefined],
])("says what can write without being asked for, where %j is asked for", async (ask, unasked) => {
  const about = (lines: readonly string[]) => lines.filter((line) => line.includes("Nobody is asked about"));
  const told =
    unasked === undefined ? [] : [expect.stringContaining(`Nobody is asked about ${unasked}, which can`)];
  expect(about((await checked({ ask })).lines)).toEqual(told);
  expect(about((await checked({ ask, scopes: ["files:write"] })).lines)).toEqual([]);
});

it("a policy that withholds terminal binds everybody", async () => {
  expect(await checked({ readOnly: true, roots: ["/srv"] })).toMatchObject({
    bindsTerminal: true,
    why: expect.stringContaining("(readOnly)"),
  });
});

it.runIf(process.geteuid?.() === 0)("says whether jobs of another user are bound", async () => {
  const nobody = await checked({ user: "nobody" });
  expect(nobody).toMatchObject({
    bindsTerminal: true,
    why: expect.stringContaining("Jobs and files calls run as nobody"),
  });
  expect(nobody.lines.join("\n")).toContain("Commands, sessions and files calls run as nobody");
  expect(await checked({ user: "root" })).toMatchObject({
    bindsTerminal: false,
    why: expect.stringContaining("which is root"),
  });
});

it.skipIf(process.geteuid?.() === 0)("says that only root can start jobs as another user", async () => {
  expect(await checked({ user: "nobody" })).toMatchObject({ error: expect.stringContaining("only root") });
});
