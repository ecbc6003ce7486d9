import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "../e2e/support/cluster.ts";
import { comeBack, leave } from "./come-back-later.ts";
import { diagnose } from "./debug-customer.ts";
import { deploy } from "./deploy.ts";
import { terminalSession } from "./terminal-session.ts";

let cluster: Cluster;
let server: CMDOPClient;

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  server = await cluster.client();
});
afterAll(async () => {
  await server.close();
  await cluster[Symbol.asyncDispose]();
});

it("terminal-session: types, resizes, interrupts, and has it all in the history", async () => {
  const output = await terminalSession(server, "echo pod-1 $((1 + 1))/2 Running");
  expect(output).toContain("pod-1 2/2 Running");
  expect(output).toContain("50 200");
  expect(output.split("\n").at(-1)).toBe("$");
  expect(await server.terminal.jobs({ running: true })).toEqual([]);
});

it("deploy: runs its steps, and believes only the application", async () => {
  const directory = path.join(cluster.directory, "myapp");
  await mkdir(directory);
  const healthLog = path.join(directory, "health.log");
  const steps = (health: string) => ({
    pull: ["touch", path.join(directory, "image")],
    up: ["sh", "-c", `test -e ${directory}/image && echo ${health} > ${healthLog}`],
    healthLog,
  });
  expect(await deploy(server, "v2.1", steps("healthy"))).toBe("v2.1 is healthy");
  await expect(deploy(server, "v2.2", steps("sick"))).rejects.toThrow("v2.2 is not healthy: sick");
  const broken = { ...steps("healthy"), pull: ["sh", "-c", "echo no such image >&2; exit 1"] };
  await expect(deploy(server, "v2.3", broken)).rejects.toThrow("no such image");
});

it("come-back-later: what is read later goes on where the first look ended", async () => {
  const gate = path.join(cluster.directory, "gate");
  const command = `echo begun; until test -e ${gate}; do sleep 0.1; done; echo finished; exit 7`;
  const { jobId, after, soFar } = await leave(server, command, 1_000);
  expect("begun\n".slice(0, Number(after))).toBe(soFar);
  await writeFile(gate, "");
  const rest = await comeBack(server, jobId, after);
  expect(soFar + rest).toBe("begun\nfinished\nThe command exited with 7.");
});

it("debug-customer: sees processes, logs and disk, and leaves nothing behind", async () => {
  const errorLog = path.join(cluster.directory, "error.log");
  await writeFile(errorLog, "it broke\n");
  const { processes, errors, disk } = await diagnose(server, errorLog);
  expect(processes).toMatch(/^USER|^PID/);
  expect(processes).toContain("ps aux");
  expect(errors).toBe("it broke\n");
  expect(disk).toMatch(/^Filesystem/);
  expect(await server.terminal.jobs({ running: true })).toEqual([]);
});
