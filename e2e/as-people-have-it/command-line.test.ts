import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "../support/cluster.ts";
import { type Finished, runCmdop, runShell } from "../support/cmdop-process.ts";

let cluster: Cluster;
let env: Record<string, string>;
let machineId: string;
let keyId: string;

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  const scopes = ["terminal", "files:read", "files:write", "machines:read"] as const;
  const key = await cluster.createKey({ name: "caller", scopes: [...scopes], machines: ["*"] });
  env = { CMDOP_API_KEY: key.apiKey, CMDOP_HOME: cluster.directory };
  keyId = key.keyId;
  machineId = JSON.parse((await cmdop("machines", "--json")).stdout).id;
});
afterAll(() => cluster[Symbol.asyncDispose]());

const cmdop = (...args: string[]): Promise<Finished> => runCmdop(args, env);
const operator = (...args: string[]): Promise<Finished> => runCmdop(args, cluster.operatorEnv);

/** The beginning of an id, or the name where it begins with a dash (one in 64 does) and would be taken for an option. */
const beginning = (id: string, name: string): string => (id.startsWith("-") ? name : id.slice(0, 6));

describe("ids of 43 characters", () => {
  it("filled the tables: now names and the beginnings of ids do, and --json has the ids whole", async () => {
    const keys = await operator("keys", "list");
    expect(keys.stdout).toMatch(/^NAME +STATE +ENDS +LAST USED +SCOPES +MACHINES +ID$/m);
    expect(keys.stdout).toMatch(new RegExp(`^caller .* ${keyId.slice(0, 8)}$`, "m"));
    expect(keys.stdout).not.toContain(keyId);
    expect((await operator("keys", "list", "--json")).stdout).toContain(`"keyId":"${keyId}"`);
    expect((await cmdop("machines")).stdout).toMatch(
      new RegExp(`^NAME +STATE +VERSION +LABELS +ID\nweb-1 +online .* ${machineId.slice(0, 8)}\n$`),
    );
  });

  it("had to be typed whole: the beginning that a table shows is enough for every command", async () => {
    const short = beginning(machineId, "web-1");
    expect(await cmdop("exec", short, "echo hi")).toMatchObject({ exitCode: 0, stdout: "hi\n" });
    expect((await cmdop("jobs", short, "--all")).stdout).toContain("echo hi");
    const line = `echo through stdin | "$NODE" "$MAIN" exec ${short} cat`;
    expect(await runShell(line, env)).toMatchObject({ stdout: "through stdin\n" });
    expect(await cmdop("cp", `${short}:/etc/hostname`, `${cluster.directory}/copied`)).toMatchObject({
      exitCode: 0,
    });
    expect((await operator("keys", "show", beginning(keyId, "caller"))).stdout).toMatch(/name +caller/);
    expect(
      (await operator("audit", "--machine", short, "--key", beginning(keyId, "caller"))).stdout,
    ).toContain("Exec/Start");
    expect((await operator("machines", "label", short, "tier=web")).exitCode).toBe(0);
  });

  it("a name that was mistyped was refused without the one that was meant", async () => {
    const machine = await cmdop("exec", "wbe-1", "true");
    expect(machine).toMatchObject({ exitCode: 255, stderr: expect.stringContaining("Did you mean web-1?") });
    const key = await operator("keys", "show", "calller");
    expect(key).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("Did you mean caller?") });
  });
});
