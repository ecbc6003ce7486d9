import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { runCmdop } from "./support/cmdop-process.ts";

let cluster: Cluster;
let env: Record<string, string>;

beforeAll(async () => {
  cluster = await Cluster.start();
  const { home } = await cluster.addMachine("web-1");
  const { apiKey } = await cluster.createKey({ scopes: ["machines:read"], machines: ["*"] });
  env = { CMDOP_HOME: home, CMDOP_API_KEY: apiKey };
});
afterAll(() => cluster[Symbol.asyncDispose]());

interface Found {
  readonly check: string;
  readonly verdict: string;
  readonly text: string;
  readonly next?: string;
}

async function doctor(args: readonly string[] = [], change: Record<string, string> = {}) {
  const { exitCode, stdout, stderr } = await runCmdop(["doctor", ...args, "--json"], { ...env, ...change });
  expect(stderr).toBe("");
  const report: { ok: boolean; findings: Found[] } = JSON.parse(stdout);
  expect(exitCode).toBe(report.ok ? 0 : 1);
  const failures = report.findings.filter(({ verdict }) => verdict === "failed");
  for (const { verdict, next } of report.findings) expect(next === undefined).toBe(verdict === "ok");
  return { ...report, failures, checks: report.findings.map(({ check }) => check) };
}

it("finds nothing where all is well, here and from afar", async () => {
  const here = await doctor();
  expect(here.failures).toEqual([]);
  expect(here.checks).toEqual(
    expect.arrayContaining([
      "node",
      "home",
      "relay",
      "clock",
      "key",
      "machines",
      "agent",
      "service",
      "machine link",
    ]),
  );
  // A warning is no failure.
  expect(here.findings).toContainEqual(
    expect.objectContaining({ check: "machine model", verdict: "warning" }),
  );
  const afar = await doctor(["web-1"], { CMDOP_HOME: cluster.operatorHome });
  expect(afar.failures).toEqual([]);
  expect(afar.checks).toEqual(expect.arrayContaining(["machine", "machine link", "machine disk: state"]));
  const text = await runCmdop(["doctor", "web-1"], env);
  expect(text.stdout).toMatch(/^ok +relay +127\.0\.0\.1:\d+ answers/m);
  expect(text.stdout + JSON.stringify([here, afar])).not.toContain("cmd_");
});

it("has a line and a next step for a dead relay, a dead proxy, a wrong clock, a damaged key, a stranger's name", async () => {
  expect((await doctor([], { CMDOP_RELAY: "127.0.0.1:1" })).failures).toMatchObject([{ check: "relay" }]);
  const proxy = { CMDOP_RELAY: "192.0.2.1:7443", HTTPS_PROXY: "http://127.0.0.1:1" };
  expect((await doctor([], proxy)).failures).toMatchObject([
    {
      check: "relay",
      text: expect.stringContaining("the proxy http://127.0.0.1:1"),
      next: expect.stringContaining("HTTPS_PROXY"),
    },
  ]);
  const shifted = `data:text/javascript,const now = Date.now; Date.now = () => now() + 3600000`;
  expect((await doctor([], { NODE_OPTIONS: `--import "${shifted}"` })).failures).toMatchObject([
    { check: "clock", text: expect.stringContaining("from the future") },
  ]);
  expect((await doctor([], { CMDOP_API_KEY: "cmd_oops" })).failures).toMatchObject([{ check: "key" }]);
  expect((await doctor(["web-2"])).failures).toMatchObject([
    { check: "machine", next: expect.stringContaining("Did you mean web-1?") },
  ]);
});

it("says of an agent that does not run how to start it, and status shows what there is", async () => {
  const running = JSON.parse((await runCmdop(["status", "--json"], env)).stdout);
  expect(running).toMatchObject({
    home: env.CMDOP_HOME,
    reachable: true,
    key: { name: "test" },
    agent: { name: "web-1", linked: true },
    machines: [{ name: "web-1", online: true }],
    errors: [],
  });
  await cluster.machines[0]?.process.stop();
  expect((await doctor()).failures).toMatchObject([
    {
      check: "agent",
      text: expect.stringContaining("does not run"),
      next: expect.stringContaining("cmdop agent"),
    },
  ]);
  expect((await doctor(["web-1"])).failures).toMatchObject([
    { check: "machine", text: expect.stringContaining("offline") },
  ]);
  const { stdout } = await runCmdop(["status"], env);
  expect(stdout).toMatch(/^agent +none runs here$/m);
  expect(stdout).toMatch(/^offline +1: web-1 \(last seen /m);
});
