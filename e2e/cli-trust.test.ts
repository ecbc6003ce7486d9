import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { runProgram } from "../cli/src/program.ts";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";
import { CmdopProcess, type Finished, runCmdop } from "./support/cmdop-process.ts";
import { waitUntil } from "./support/wait.ts";

const COMMANDS = [
  "keys list",
  "keys show",
  "keys revoke",
  "keys rotate",
  "machines rename",
  "machines label",
  "machines release",
  "machines remove",
  "owner show",
  "owner rotate",
  "owner recover",
  "owner teach",
  "policy check",
  "policy explain",
  "approvals",
  "approve",
  "refuse",
  "audit",
  "audit verify",
  "agent install",
  "agent uninstall",
];

/** Ends name their call; the key is in its begin. */
const entrySchema = z.object({ record: z.looseObject({ type: z.string(), key: z.string().optional() }) });
const rosterSchema = z.object({ roster: z.object({ owners: z.array(z.string()) }), owner: z.string() });

let cluster: Cluster;
let machine: ClusterMachine;

beforeAll(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** As the operator, who has the owner key. */
function operator(...args: readonly string[]): Promise<Finished> {
  return runCmdop(args, cluster.operatorEnv);
}

/** With an API key, in a home of its own. */
function caller(apiKey: string, ...args: readonly string[]): Promise<Finished> {
  return runCmdop(args, { CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(cluster.directory, "caller") });
}

/** A command that needs nothing but its words: dozens of processes would take a minute. It has no home. */
async function inProcess(args: readonly string[]): Promise<Finished> {
  const told = { stdout: "", stderr: "" };
  const listen = (name: "stdout" | "stderr") =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      told[name] += String(text);
      return true;
    });
  const spies = [listen("stdout"), listen("stderr")];
  vi.stubEnv("CMDOP_HOME", "/nonexistent");
  try {
    const exitCode = await runProgram(["node", "cmdop", ...args]);
    return { exitCode, ...told };
  } finally {
    vi.unstubAllEnvs();
    for (const spy of spies) spy.mockRestore();
  }
}

describe("the command line itself", () => {
  it.each(COMMANDS)("cmdop %s --help explains itself, with examples", async (command) => {
    const { exitCode, stdout } = await inProcess([...command.split(" "), "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Usage: cmdop");
    expect(stdout).toContain("Examples:");
  });

  it.each([
    ["a key that reaches nothing", ["keys", "create", "k", "--scope", "terminal"]],
    ["a fate of jobs that there is not", ["keys", "create", "k", "--scope", "terminal", "--jobs", "die"]],
    ["a label without a value", ["machines", "label", "web-1", "team"]],
    ["a removal that nobody confirms", ["machines", "remove", "web-1"]],
    ["a method that there is not", ["policy", "explain", "k", "Files/Raed"]],
    ["a path too few", ["policy", "explain", "k", "Files/Read", "--machine", "web-1"]],
    ["a bad time", ["audit", "--since", "yesterday"]],
    ["two kinds of systemd", ["agent", "install", "--user", "--system"]],
  ])("%s exits with 2 and a hint", async (_title, args) => {
    const { exitCode, stderr } = await inProcess(args);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/error: .+\n.+/);
  });
});

describe("keys", () => {
  it("are listed, shown, rotated and revoked; a revoked key is worth nothing", async () => {
    const { apiKey } = await cluster.createKey({
      name: "deploy",
      scopes: ["terminal", "machines:read"],
      machines: ["web-1"],
    });
    expect((await operator("keys", "list")).stdout).toMatch(
      /^deploy +active .* terminal,machines:read +web-1/m,
    );
    const shown = await operator("keys", "show", "deploy");
    expect(shown.stdout).toMatch(/state +active/);
    expect(shown.stdout + shown.stderr).not.toContain(apiKey);

    const rotated = await operator("keys", "rotate", "deploy");
    expect(rotated.stdout).toMatch(/^cmd_/);
    expect((await caller(apiKey, "exec", "web-1", "true")).stderr).toContain("revoked");
    const fresh = rotated.stdout.trim();
    expect(await caller(fresh, "exec", "web-1", "echo hi")).toMatchObject({ exitCode: 0, stdout: "hi\n" });

    const listed = await operator("keys", "list", "--json");
    const { keyId } = z.object({ keyId: z.string() }).parse(JSON.parse(listed.stdout.split("\n")[0] ?? ""));
    expect(await operator("keys", "revoke", keyId)).toMatchObject({
      exitCode: 0,
      stdout: `${keyId} revoked\n`,
    });
    expect((await caller(fresh, "exec", "web-1", "true")).exitCode).not.toBe(0);
    expect((await operator("keys", "list")).stderr).toMatch(/2 more/);
    expect((await operator("keys", "show", "no-such-key")).exitCode).toBe(1);
  });

  it("reach machines by label, and an admin key may block them", async () => {
    expect((await operator("machines", "label", "web-1", "team=payments", "old=1")).exitCode).toBe(0);
    expect((await operator("machines", "label", "web-1", "old-")).exitCode).toBe(0);
    const made = await operator("keys", "create", "team", "--scope", "terminal", "--label", "team=payments");
    const team = made.stdout.trim();
    expect(await caller(team, "exec", "web-1", "echo hi")).toMatchObject({ exitCode: 0, stdout: "hi\n" });
    const admin = await cluster.createKey({ name: "admin", scopes: ["admin"], machines: ["*"] });
    const blocked = await caller(admin.apiKey, "keys", "revoke", "team");
    expect(blocked).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/blocked\n$/) });
    expect((await caller(team, "exec", "web-1", "true")).exitCode).not.toBe(0);
    expect((await caller(team, "keys", "list")).exitCode).toBe(1);
  });
});

describe("policy", () => {
  it("explains what a machine would say to a key, to a caller of its socket, and why", async () => {
    await operator(
      "keys",
      "create",
      "logs",
      "--scope",
      "files:read",
      "--path",
      "/var/log",
      "--machine",
      "web-1",
    );
    const explain = ["policy", "explain", "logs", "Files/Read"];
    const allowed = await operator(...explain, "/var/log/x", "--machine", "web-1");
    expect(allowed).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^allow: /) });
    const denied = await operator(...explain, "/etc/passwd", "--machine", "web-1");
    expect(denied.stdout).toMatch(/^deny \(PermissionDenied\): .*\/var\/log/);
    const local = await runCmdop(["policy", "explain", "local", "Exec/Start"], { CMDOP_HOME: machine.home });
    expect(local.stdout).toMatch(/^allow: /);
  });

  it("a key that may write anywhere is called what it is, when it is made and when it is explained", async () => {
    const create = (name: string, ...more: string[]) =>
      operator("keys", "create", name, "--scope", "files:write", "--machine", "web-1", ...more);
    expect((await create("writer")).stderr).toMatch(/files:write without --path is the full authority/);
    expect((await create("bound-writer", "--path", "/srv")).stderr).not.toContain("authority");
    const explained = await operator(
      "policy",
      "explain",
      "writer",
      "Files/Write",
      "/x",
      "--machine",
      "web-1",
    );
    expect(explained.stdout).toMatch(/^allow: .*full authority of that user/);
  });

  it("is checked as the agent would, and says plainly whether it binds terminal callers", async () => {
    const env = { CMDOP_HOME: path.join(cluster.directory, "checked") };
    expect((await runCmdop(["policy", "check"], env)).stdout).toContain("does NOT bind terminal callers");
    await mkdir(path.join(env.CMDOP_HOME, "agent"), { recursive: true, mode: 0o700 });
    await writeFile(path.join(env.CMDOP_HOME, "agent", "policy.json"), '{"scope":[]}', { mode: 0o600 });
    const broken = await runCmdop(["policy", "check"], env);
    expect(broken).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("scope") });
  });
});

describe("approvals", () => {
  it("what waits is listed with exactly what will run, and runs once somebody else says yes", async () => {
    const asked = await cluster.addMachine("careful");
    const policy = path.join(asked.home, "agent", "policy.json");
    await writeFile(policy, '{"ask":["terminal"]}', { mode: 0o600 });
    const worker = await cluster.createKey({
      name: "worker",
      scopes: ["terminal", "approve"],
      machines: ["careful"],
    });
    const boss = await cluster.createKey({ name: "boss", scopes: ["approve"], machines: ["*"] });
    await asked.process.stop();
    await cluster.restartAgent(asked);

    const list = async (apiKey: string): Promise<string> =>
      (await caller(apiKey, "approvals", "--machine", "careful")).stdout;
    const first = caller(worker.apiKey, "exec", "careful", "echo '\x1b[2J' done");
    await waitUntil(async () => (await list(boss.apiKey)).includes("done"));
    const [, id = ""] =
      /^([0-9a-f-]{36}) {2}careful {2}Exec\/Start {2}by worker/.exec(await list(boss.apiKey)) ?? [];
    expect(await list(boss.apiKey)).toContain("\\u{1b}[2J");
    expect((await caller(worker.apiKey, "approve", id, "--machine", "careful")).exitCode).toBe(1);
    const approved = await caller(boss.apiKey, "approve", id.slice(0, 8));
    expect(approved).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("approved") });
    expect(await first).toMatchObject({ exitCode: 0, stdout: "\x1b[2J done\n" });

    const second = caller(worker.apiKey, "exec", "careful", "echo again");
    await waitUntil(async () => (await list(boss.apiKey)).includes("again"));
    const [, other = ""] = /^([0-9a-f-]{36})/.exec(await list(boss.apiKey)) ?? [];
    expect((await caller(boss.apiKey, "refuse", other, "--reason", "not on a Friday")).exitCode).toBe(0);
    expect((await second).stderr).toContain("not on a Friday");
    expect((await caller(boss.apiKey, "approve", other)).stderr).toContain("No call waits");
    expect((await caller(boss.apiKey, "approvals")).stderr).toContain("Nothing waits");
  });
});

describe("audit", () => {
  it("promise 8: every call is a line, refused ones too, and the chains verify against heads kept elsewhere", async () => {
    const key = await cluster.createKey({ name: "auditee", scopes: ["terminal"], machines: ["web-1"] });
    await caller(key.apiKey, "exec", "web-1", "echo 'seen'; exit 3");
    await caller(key.apiKey, "machines");
    const audit = async (): Promise<string> => (await operator("audit", "--since", "1h")).stdout;
    // The relay pulls the machine's chain.
    await waitUntil(async () => /job ended +exited 3/.test(await audit()));
    const lines = await audit();
    expect(lines).toMatch(/^\S+Z +auditee +web-1 +Exec\/Start +Ok, .*seen/m);
    expect(lines).toMatch(/^\S+Z +auditee +.* +Machines\/List +REFUSED PermissionDenied/m);
    const json = (await operator("audit", "--machine", "web-1", "--key", "auditee", "--json")).stdout;
    const records = json
      .trim()
      .split("\n")
      .map((line) => entrySchema.parse(JSON.parse(line)).record);
    expect(records.length).toBeGreaterThan(3);
    for (const record of records) expect([key.keyId, undefined]).toContain(record.key);

    const heads = path.join(cluster.directory, "heads.json");
    const verify = (): Promise<Finished> => operator("audit", "verify", "--heads", heads);
    expect(await verify()).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^ok +relay/) });
    expect(await verify()).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("heads agree") });
    const kept = await readFile(heads, "utf8");
    const first = /"hash": "(.)/.exec(kept)?.[1] ?? "";
    const forged = kept.replace(/"hash": "./, `"hash": "${first === "A" ? "B" : "A"}`);
    await writeFile(heads, forged);
    expect(await verify()).toMatchObject({ exitCode: 1, stdout: expect.stringContaining("BROKEN") });
    // Nothing is kept of a verification that failed.
    expect(await readFile(heads, "utf8")).toBe(forged);

    // Where more has come than is kept, what is left holds: an exit code of its own says that something is gone.
    await writeFile(heads, kept);
    await cluster.relay.stop();
    const directory = path.join(cluster.directory, "relay", "relay", "audit", "relay");
    const [chain = ""] = (await readdir(directory)).filter((name) => name.endsWith(".chain"));
    const [header = "", ...stored] = (await readFile(path.join(directory, chain), "utf8")).split("\n");
    const moved = { ...JSON.parse(header), first: 3, previous: stored[1]?.split(" ")[0] };
    await writeFile(path.join(directory, chain), [JSON.stringify(moved), ...stored.slice(2)].join("\n"));
    await cluster.restartRelay();
    const gone = await verify();
    expect(gone.stdout).toMatch(/^MOVED +relay .*\n +2 records \(1 to 2\) that were kept on .* are gone/);
    expect(gone).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("Verify more often") });
    expect((await verify()).exitCode).toBe(0);
  });

  it("follows, and ends well with Ctrl-C", async () => {
    const args = ["audit", "--follow", "--json", "--since", "1h"];
    const { process: following } = await CmdopProcess.start(args, cluster.operatorEnv);
    expect(await following.stop("SIGINT")).toEqual({ exitCode: 0, signal: null });
  });
});

describe("machines and owners", () => {
  it("machines are renamed and removed", async () => {
    await cluster.addMachine("spare");
    expect((await operator("machines", "rename", "spare", "web-1")).exitCode).toBe(1);
    expect((await operator("machines", "rename", "spare", "attic")).exitCode).toBe(0);
    expect((await operator("machines")).stdout).toMatch(/^attic +online/m);
    expect((await operator("machines", "remove", "attic", "--yes")).exitCode).toBe(0);
    expect((await operator("machines")).stdout).not.toContain("attic");
  });

  it("an owner is rotated and recovered: keys work on, the old owner does not", async () => {
    const key = await cluster.createKey({ name: "worker-2", scopes: ["terminal"], machines: ["web-1"] });
    const file = path.join(cluster.operatorHome, "owner", "owner.key");
    const old = await readFile(file);
    const show = async () => {
      const { stdout, stderr } = await operator("owner", "show", "--roster", "--json");
      if (stdout === "") throw new Error(stderr);
      return rosterSchema.parse(JSON.parse(stdout));
    };
    const before = await show();

    const rotated = await operator("owner", "rotate");
    expect(rotated).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^owner /) });
    const after = await show();
    expect(after.roster.owners).toContain(after.owner);
    expect(after.roster.owners).not.toContain(before.owner);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    for (const rest of [".new", ".old"]) {
      await expect(stat(file + rest)).rejects.toMatchObject({ code: "ENOENT" });
    }
    // Other relays may still name it.
    const kept = (await readdir(path.dirname(file))).filter((name) => name.startsWith("owner.key.old-"));
    expect(await readFile(path.join(path.dirname(file), kept[0] ?? ""))).toEqual(old);
    expect(await caller(key.apiKey, "exec", "web-1", "echo on")).toMatchObject({
      exitCode: 0,
      stdout: "on\n",
    });

    // A rotation that ended after the relay had taken it, before the files were in place.
    await writeFile(`${file}.new`, await readFile(file), { mode: 0o600 });
    await writeFile(file, old);
    expect((await operator("keys", "list")).stderr).toContain("cmdop owner rotate");
    expect(await operator("owner", "rotate")).toMatchObject({ exitCode: 0, stdout: rotated.stdout });
    expect((await show()).owner).toBe(after.owner);

    // The owner key is lost.
    await writeFile(file, "");
    const recover = ["owner", "recover", "--remove", after.owner];
    const recovered = await runCmdop(recover, cluster.operatorEnv, cluster.recoveryKey);
    expect(recovered).toMatchObject({ exitCode: 0 });
    expect((await show()).roster.owners).not.toContain(after.owner);
    expect(await caller(key.apiKey, "exec", "web-1", "echo on")).toMatchObject({
      exitCode: 0,
      stdout: "on\n",
    });
    expect((await operator("audit", "verify")).exitCode).toBe(0);
  });
});
