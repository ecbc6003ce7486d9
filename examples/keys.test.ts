import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster, OWNER_PASSPHRASE } from "../e2e/support/cluster.ts";
import { fleetKeys } from "./fleet-keys.ts";
import { logReaderKey } from "./one-device-key.ts";
import { supportKey, whatWasDone } from "./support-access.ts";
import { teamKey } from "./team-key.ts";

let cluster: Cluster;
let owner: CMDOPClient;
beforeAll(async () => {
  cluster = await Cluster.start();
  for (const name of ["device-1", "device-2"]) await cluster.addMachine(name);
  owner = await CMDOPClient.owner({
    keyFile: path.join(cluster.operatorHome, "owner", "owner.key"),
    relay: `${cluster.relayId}@${cluster.relayAddress}`,
    passphrase: OWNER_PASSPHRASE,
  });
});
afterAll(async () => {
  await owner.close();
  await cluster[Symbol.asyncDispose]();
});

it("one-device-key: reads the logs of one device, and nothing else", async () => {
  const logs = path.join(cluster.directory, "logs");
  await mkdir(logs);
  await writeFile(path.join(logs, "app.log"), "all is well\n");
  await writeFile(path.join(cluster.directory, "secret"), "no log");
  await using reader = CMDOPClient.remote({ apiKey: await logReaderKey(owner, "device-1", logs) });
  expect(await reader.files.readText(path.join(logs, "app.log"))).toBe("all is well\n");
  const secret = reader.files.readText(path.join(cluster.directory, "secret"));
  await expect(secret).rejects.toMatchObject({ code: "PermissionDenied" });
  await expect(reader.terminal.execute("id")).rejects.toMatchObject({ code: "PermissionDenied" });
  const other = reader.machine("device-2").files.readText(path.join(logs, "app.log"));
  await expect(other).rejects.toMatchObject({ code: "MachineUnknown" });
});

it("fleet-keys: ten devices have a key each; one that is revoked is no other's loss", async () => {
  const devices = Array.from({ length: 10 }, (_, index) => `device-${index + 1}`);
  const keys = await fleetKeys(owner, devices);
  expect(new Set(keys.values()).size).toBe(10);
  await using first = CMDOPClient.remote({ apiKey: keys.get("device-1") });
  await using second = CMDOPClient.remote({ apiKey: keys.get("device-2") });
  expect((await first.whoAmI()).machines.map(({ name }) => name)).toEqual(["device-1"]);
  expect((await second.terminal.execute("echo 2")).stdout).toBe("2\n");
  await expect(first.machine("device-2").terminal.execute("true")).rejects.toMatchObject({
    code: "MachineUnknown",
  });
  await owner.keys.revoke("fleet-device-1");
  await expect(first.terminal.execute("true")).rejects.toMatchObject({ code: "KeyRevoked" });
  expect((await second.terminal.execute("echo still 2")).stdout).toBe("still 2\n");
});

it("team-key: reaches the machines of the team, and no other", async () => {
  await using team = CMDOPClient.remote({ apiKey: await teamKey(owner, "payments", ["device-2"]) });
  expect((await team.machines.list()).map(({ name }) => name)).toEqual(["device-2"]);
  expect((await team.terminal.execute("echo ours")).stdout).toBe("ours\n");
  await owner.machines.label("device-1", { set: { team: "payments" } });
  expect((await team.machine("device-1").terminal.execute("echo ours too")).stdout).toBe("ours too\n");
});

it("support-access: ends by itself, and the audit tells what was done", async () => {
  const { apiKey, keyId } = await supportKey(owner, "device-1", 8);
  await using support = CMDOPClient.remote({ apiKey });
  const { stdout } = await support.terminal.execute("echo looked around");
  expect(stdout).toBe("looked around\n");
  // What still runs when it ends is ended with it.
  const { outcome, reason } = await support.terminal.execute("sleep 1000");
  expect({ outcome, reason }).not.toMatchObject({ outcome: "exited" });
  await expect(support.terminal.execute("true")).rejects.toMatchObject({ code: "GrantExpired" });
  await expect
    .poll(async () => (await whatWasDone(owner, keyId)).join("\n"))
    .toMatch(/looked around(.|\n)*sleep 1000/);
});
