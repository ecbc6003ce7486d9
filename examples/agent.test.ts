import type { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "../e2e/support/cluster.ts";
import { ModelServer } from "../e2e/support/model-server.ts";
import { agentDeploy } from "./agent-deploy.ts";
import { checkHealth } from "./server-health.ts";

let cluster: Cluster;
let model: ModelServer;
let server: CMDOPClient;

beforeAll(async () => {
  model = await ModelServer.start();
  cluster = await Cluster.start();
  const { home } = await cluster.addMachine("web-1");
  await model.serve(home);
  server = await cluster.client(["agent", "terminal"]);
});
afterAll(async () => {
  await server.close();
  await cluster[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
});

const execute = (command: string) => ({ name: "execute", arguments: { command } });

it("server-health: the agent looks, and its answer has a type", async () => {
  const found = {
    status: "degraded",
    cpuPercent: 3.5,
    memoryUsedGb: 1.25,
    diskFreeGb: 2,
    issues: ["the disk is nearly full"],
  };
  model.script(
    { tools: [execute("cat /proc/loadavg"), execute("df -k /")] },
    { text: JSON.stringify(found) },
  );
  const alerts: (readonly string[])[] = [];
  expect(await checkHealth(server, (issues) => alerts.push(issues))).toEqual(found);
  expect(alerts).toEqual([["the disk is nearly full"]]);
  expect(model.calls[1]?.said).toContain("Filesystem");
});

it("agent-deploy: a deployment that failed is rolled back with what the agent saw", async () => {
  const result = { success: false, version: "v2.1", containersRunning: 0, errors: ["no such image"] };
  model.script({ tools: [execute("echo no such image >&2; exit 1")] }, { text: JSON.stringify(result) });
  const shown: string[] = [];
  const rolledBack: string[] = [];
  const deployed = await agentDeploy(server, "myapp:v2.1", {
    show: (line) => shown.push(line),
    rollback: (errors) => rolledBack.push(...errors),
  });
  expect(deployed).toEqual(result);
  expect(rolledBack).toEqual(["no such image"]);
  expect(shown).toEqual(['execute {"command":"echo no such image >&2; exit 1"}']);
});
