import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { checkPolicy } from "@cmdop/agent";
import { agentStateDir } from "@cmdop/proto";
import { CMDOPClient } from "@cmdop/sdk";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { type Door, useDoors } from "./support/doors.ts";
import { machineChain } from "./support/machine-chain.ts";
import { ClusterOwner } from "./support/owner.ts";
import { waitUntil } from "./support/wait.ts";

const DOORS: readonly Door[] = ["relay", "local"];
const EXEC = "/cmdop.v1.Exec/Start";
const READ = "/cmdop.v1.Files/Read";

const doors = useDoors();

/** Puts a policy into force while the agent runs. */
async function policy(says: object): Promise<void> {
  await written(JSON.stringify(says));
  const { lines } = await checkPolicy({ home: doors.machine().home });
  expect(lines).not.toEqual([]);
  await inForce(JSON.stringify(says));
}

/** As an editor would: beside, then in its place. */
async function written(text: string): Promise<void> {
  await writeFile(`${file()}.new`, text, { mode: 0o600 });
  await rename(`${file()}.new`, file());
}

function file(): string {
  return path.join(agentStateDir(doors.machine().home), "policy.json");
}

/** Until the audit says that the file of this text, or none, is in force. */
async function inForce(text: string | undefined): Promise<void> {
  const { hash } =
    text === undefined
      ? { hash: null }
      : { hash: Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from(text))).toString("base64url") };
  await waitUntil(async () => (await policyRecords()).at(-1)?.hash === hash);
}

async function policyRecords() {
  const { records } = await machineChain(doors.machine().home);
  return records.filter((record) => record.type === "policy");
}

async function approvalStates(): Promise<string[]> {
  const { records } = await machineChain(doors.machine().home);
  return records.filter((record) => record.type === "approval").map(({ state }) => state);
}

async function person(scopes: readonly string[] = ["approve"]): Promise<CMDOPClient> {
  const { apiKey } = await doors.cluster().createKey({ name: randomUUID(), scopes, machines: ["web-1"] });
  const client = CMDOPClient.remote({ apiKey });
  onTestFinished(() => client.close());
  return client;
}

/** Until one call waits. */
async function waiting(client: CMDOPClient) {
  await waitUntil(async () => (await client.approvals.list()).length === 1);
  const [approval] = await client.approvals.list();
  if (approval === undefined) throw new Error("answered by somebody else");
  return approval;
}

afterEach(async () => {
  if (!existsSync(file())) return;
  await rm(file());
  await inForce(undefined);
});

describe("promise 5: the machine's own policy", () => {
  test.each(DOORS)("comes into force while the agent runs, and goes, through the %s door", async (door) => {
    const { terminal } = doors.client(door);
    expect((await terminal.execute("echo 1")).stdout).toBe("1\n");
    await policy({ scopes: ["machines:read", "files:read"] });
    await expect(terminal.execute("echo 1")).rejects.toMatchObject({ code: "PolicyDenied" });
    await rm(file());
    await inForce(undefined);
    expect((await terminal.execute("echo 1")).stdout).toBe("1\n");
  });

  test("stays what it was where the file is broken, and says so to whoever looks", async () => {
    const client = doors.client("relay");
    await policy({ readOnly: true });
    await written('{"readOnly": false,');
    await waitUntil(async () => (await client.machine("web-1").info()).policyError !== "");
    expect((await client.machine("web-1").info()).policyError).toContain("policy.json can't be used");
    await expect(client.terminal.execute("true")).rejects.toMatchObject({ code: "PolicyDenied" });
    expect((await policyRecords()).at(-1)?.error).toContain("policy.json can't be used");
    expect(await checkPolicy({ home: doors.machine().home })).toMatchObject({ error: expect.any(String) });

    await written('{"readOnly": false}');
    await waitUntil(async () => (await client.machine("web-1").info()).policyError === "");
    expect((await client.terminal.execute("echo 1")).stdout).toBe("1\n");
  });

  test.each(DOORS)(
    "ends what it forbids from now on, and leaves jobs alone, through the %s door",
    async (door) => {
      const { terminal } = doors.client(door);
      const session = await terminal.create({ shell: "/bin/cat" });
      const chunks = session.attach();
      await session.sendInput("x");
      expect((await chunks.next()).done).toBe(false);
      const jobId = randomUUID();
      const runs = terminal.execute("sleep 60", { jobId });
      const isRunning = async () =>
        (await terminal.jobs({ running: true })).some((job) => job.jobId === jobId);
      await waitUntil(isRunning);
      await policy({ readOnly: true });
      expect(await runs).toMatchObject({ jobId, outcome: "unknown", exitCode: null });
      await expect(chunks.next()).rejects.toMatchObject({ message: expect.stringContaining("readOnly") });
      await rm(file());
      await inForce(undefined);
      expect(await isRunning()).toBe(true);
      await terminal.cancel(jobId);
      await session.close();
    },
  );

  test("has a ceiling of its own for whoever may open the socket", async () => {
    await policy({ local: ["machines:read"] });
    await expect(doors.client("local").terminal.execute("true")).rejects.toMatchObject({
      code: "PolicyDenied",
      message: expect.stringContaining("(local)"),
    });
    expect((await doors.client("relay").terminal.execute("echo 1")).stdout).toBe("1\n");
  });

  test.each(DOORS)("binds the programs that callers start, through the %s door", async (door) => {
    await policy({ shells: ["/bin/sh", "/bin/echo"] });
    const { terminal } = doors.client(door);
    expect((await terminal.execute("echo 1")).stdout).toBe("1\n");
    expect((await terminal.execute(["/bin/echo", "2"])).stdout).toBe("2\n");
    const denied = { code: "PolicyDenied" };
    await expect(terminal.execute(["echo", "2"])).rejects.toMatchObject(denied);
    await expect(terminal.execute(["/bin/cat"])).rejects.toMatchObject(denied);
    await expect(terminal.execute("true", { env: { LD_PRELOAD: "/x" } })).rejects.toMatchObject(denied);
    await expect(terminal.create({ shell: "/bin/bash" })).rejects.toMatchObject(denied);
    const session = await terminal.create({ shell: "/bin/sh" });
    await session.close();
  });

  test("ends a job at its ceiling", async () => {
    await policy({ limits: { maxJobMs: 1_000 } });
    const { outcome, exitCode } = await doors.client("relay").terminal.execute("sleep 60");
    expect([outcome, exitCode]).toEqual(["timed_out", null]);
  });

  test.runIf(process.geteuid?.() === 0)("lets jobs run as another user", async () => {
    await policy({ user: "nobody", scopes: ["terminal", "machines:read"] });
    const client = doors.client("relay");
    expect((await client.terminal.execute("id -un; id -G", { cwd: "/" })).stdout).toMatch(/^nobody\n\d+\n$/);
    expect(await client.machine("web-1").info()).toMatchObject({ user: "nobody" });
    const state = agentStateDir(doors.machine().home);
    const { stderr } = await client.terminal.execute(`cat ${state}/machine.key ${file()}`, { cwd: "/" });
    expect(stderr.match(/denied/g)).toHaveLength(2);
    const session = await client.terminal.create({ shell: "/bin/sh", cwd: "/" });
    await session.sendInput("id -un; tty\n");
    await session.waitFor(/nobody\s+\/dev\/pts/);
    await session.close();
    expect(await checkPolicy({ home: doors.machine().home })).toMatchObject({ bindsTerminal: true });
  });
});

describe("promise 10: explain", () => {
  test("says what the machine would answer, to a key's grant and to the local socket", async () => {
    await using owner = await ClusterOwner.of(doors.cluster());
    const bound = await owner.grant({ name: "bound", scopes: ["files:read"], paths: ["/srv"] });
    const ended = await owner.grant({ not_after: Math.floor(Date.now() / 1000) + 1 });
    const elsewhere = await owner.grant({ machines: [{ name: "db-*" }] });
    const local = doors.client("local");
    const relayed = doors.client("relay");
    await policy({ ask: ["terminal"] });

    expect(await local.explain({ method: EXEC })).toMatchObject({
      decision: "ask",
      reason: expect.stringContaining('(ask: "terminal")'),
    });
    const { grant } = bound;
    expect(await relayed.explain({ grant, method: READ, paths: ["/srv/x"] })).toMatchObject({
      decision: "allow",
      reason: expect.stringContaining('"/srv"'),
    });
    expect(await relayed.explain({ grant, method: READ, paths: ["/etc/x"] })).toMatchObject({
      decision: "deny",
      code: "PermissionDenied",
    });
    const denied = async (of: string) => (await relayed.explain({ grant: of, method: EXEC })).code;
    expect(await denied(grant)).toBe("PermissionDenied");
    await waitUntil(async () => (await denied(ended.grant)) === "GrantExpired");
    expect(await denied(elsewhere.grant)).toBe("PermissionDenied");
    expect(await denied(`${grant.slice(0, -8)}AAAAAAAA`)).toBe("GrantRefused");
    await expect(relayed.explain({ grant, method: READ })).rejects.toMatchObject({ code: "InvalidArgument" });
  });
});

describe("promise 5: what a person must approve", () => {
  test("waits, visibly, and runs once after a yes of another key; its retries ask no more", async () => {
    await policy({ ask: ["terminal"] });
    const ann = await person();
    const ran = path.join(doors.cluster().directory, randomUUID());
    const told: string[] = [];
    const jobId = randomUUID();
    const runs = doors.client("relay").terminal.execute(`echo ran >>${ran}; echo $WORD`, {
      jobId,
      env: { WORD: "hello" },
      onWaiting: ({ approvalId }) => told.push(approvalId),
    });
    const approval = await waiting(ann);
    expect(approval).toMatchObject({ keyName: "test", method: EXEC });
    expect(approval.what).toContain(`echo ran >>${ran}`);
    expect(approval.what).toContain("WORD=hello");
    expect(existsSync(ran)).toBe(false);
    await ann.approvals.approve(approval);
    expect((await runs).stdout).toBe("hello\n");
    expect(told).toEqual([approval.approvalId]);
    await expect(ann.approvals.approve(approval)).rejects.toMatchObject({ code: "NotFound" });
    const again = await doors
      .client("relay")
      .terminal.execute(`echo ran >>${ran}; echo $WORD`, { jobId, env: { WORD: "hello" } });
    expect(again.stdout).toBe("hello\n");
    expect((await doors.client("local").files.readText(ran)).match(/ran/g)).toHaveLength(1);
    expect((await approvalStates()).slice(-2)).toEqual(["asked", "approved"]);
  });

  test("is bound to a hash of exactly that call: a yes to another is none", async () => {
    await policy({ ask: ["terminal"] });
    const ann = await person();
    const ran = path.join(doors.cluster().directory, randomUUID());
    const runs = doors.client("relay").terminal.execute(["touch", ran]);
    const approval = await waiting(ann);
    expect(approval.requestHash).toMatch(/^[0-9a-f]{64}$/);
    for (const requestHash of [
      "",
      approval.requestHash.replace(/^./, (first) => (first === "0" ? "1" : "0")),
    ])
      await expect(ann.approvals.approve({ ...approval, requestHash })).rejects.toMatchObject({
        code: "ApprovalRefused",
      });
    expect(existsSync(ran)).toBe(false);
    await ann.approvals.approve(approval);
    expect((await runs).exitCode).toBe(0);
  });

  test("is not carried out where anything of it is different by then", async () => {
    const says = { ask: ["/cmdop.v1.Files/Delete"], scopes: ["files:write", "approve"] };
    await policy(says);
    const ann = await person();
    const file = path.join(doors.cluster().directory, randomUUID());
    await writeFile(file, "");
    const deletes = doors
      .client("relay")
      .files.delete(file)
      .catch((error: unknown) => error);
    const approval = await waiting(ann);
    await policy({ ...says, roots: ["/"] });
    await ann.approvals.approve(approval);
    expect(await deletes).toMatchObject({
      code: "ApprovalRefused",
      message: expect.stringContaining("not what was approved"),
    });
    expect(existsSync(file)).toBe(true);
  });

  test("shows content by both ends, size and hash, and never scrolls its end out of sight", async () => {
    await policy({ ask: ["files:write", "terminal"] });
    const ann = await person();
    const file = path.join(doors.cluster().directory, randomUUID());
    const content = `first line\n${"x = 1\n".repeat(50_000)}last line\n`;
    const writes = doors.client("relay").files.write(file, content);
    const written = await waiting(ann);
    const hash = createHash("sha256").update(content).digest("hex");
    expect(written.what.length).toBeLessThan(5_000);
    expect(written.what).toContain(
      `content (${content.length.toLocaleString("en-US")} bytes, SHA-256 ${hash}): first`,
    );
    expect(written.what).toMatch(/bytes left out …\}.*last line\\n$/m);
    expect(written.what).toMatch(/^careful: not all of it is shown/m);
    await ann.approvals.approve(written);
    await writes;

    const padded = doors
      .client("relay")
      .terminal.execute(`true${" ".repeat(30_000)}\u202e; p\u0430ypal || true`);
    const { what, approvalId } = await waiting(ann);
    expect(what).toMatch(/^shell: true\\\{␣ × 30,000\}\\u\{202e\}; p\\u\{430\}ypal \|\| true$/m);
    expect(what).toMatch(/^careful: \\u\{…\} stands for/m);
    await ann.approvals.refuse(approvalId);
    await expect(padded).rejects.toMatchObject({ code: "ApprovalRefused" });
  });

  test("is refused by a no, with the reason, and by silence", async () => {
    await policy({ ask: ["terminal"], askTimeoutMs: 60_000 });
    const ann = await person();
    const { terminal } = doors.client("relay");
    const refused = terminal.execute("true").catch((error: unknown) => error);
    await ann.approvals.refuse((await waiting(ann)).approvalId, "not today");
    expect(await refused).toMatchObject({
      code: "ApprovalRefused",
      message: expect.stringContaining("not today"),
    });
    await policy({ ask: ["terminal"], askTimeoutMs: 50 });
    const ran = path.join(doors.cluster().directory, randomUUID());
    await expect(terminal.execute(["touch", ran])).rejects.toMatchObject({ code: "ApprovalRefused" });
    await expect(terminal.create({ shell: "/bin/sh" })).rejects.toMatchObject({ code: "ApprovalRefused" });
    expect(existsSync(ran)).toBe(false);
    expect((await approvalStates()).slice(-4)).toEqual(["asked", "expired", "asked", "expired"]);
  });

  test("is never approved by its own key, nor without the scope", async () => {
    await policy({ ask: ["terminal"] });
    const both = await person(["terminal", "approve"]);
    const runs = both.terminal.execute("echo 1");
    const approval = await waiting(both);
    await expect(both.approvals.approve(approval)).rejects.toMatchObject({
      code: "PermissionDenied",
      message: expect.stringContaining("of its own"),
    });
    await expect(doors.client("relay").approvals.approve(approval)).rejects.toMatchObject({
      code: "PermissionDenied",
    });
    await doors.client("local").approvals.approve(approval);
    expect((await runs).stdout).toBe("1\n");
  });

  test("asks whoever may open the socket too, which answers for itself no more than a key", async () => {
    await policy({ ask: ["/cmdop.v1.Files/Delete"] });
    const local = doors.client("local");
    const ann = await person();
    const gone = path.join(doors.cluster().directory, randomUUID());
    await writeFile(gone, "");
    const deletes = local.files.delete(gone);
    const approval = await waiting(ann);
    expect(approval).toMatchObject({ what: `path: ${gone}`, keyId: "local" });
    await expect(local.approvals.approve(approval)).rejects.toMatchObject({ code: "PermissionDenied" });
    expect(existsSync(gone)).toBe(true);
    await ann.approvals.approve(approval);
    await deletes;
    expect(existsSync(gone)).toBe(false);
  });

  test("is withdrawn when its caller gives up", async () => {
    await policy({ ask: ["terminal"] });
    const ann = await person();
    const giveUp = new AbortController();
    const runs = doors.client("relay").terminal.execute("echo 1", { signal: giveUp.signal });
    await waiting(ann);
    giveUp.abort();
    expect(await runs).toMatchObject({ outcome: "canceled", exitCode: null, stdout: "" });
    await waitUntil(async () => (await ann.approvals.list()).length === 0);
    expect((await approvalStates()).slice(-2)).toEqual(["asked", "withdrawn"]);
  });

  test("ends with the right of the asking key, and nobody can approve it then", async () => {
    await policy({ ask: ["terminal"] });
    const ann = await person();
    await using owner = await ClusterOwner.of(doors.cluster());
    const { apiKey, key } = await owner.grant();
    await using asker = CMDOPClient.remote({ apiKey });
    const ran = path.join(doors.cluster().directory, randomUUID());
    const runs = asker.terminal.execute(["touch", ran]).catch((error: unknown) => error);
    const approval = await waiting(ann);
    await owner.revoke(key);
    expect(await runs).toMatchObject({ code: "KeyRevoked" });
    await expect(ann.approvals.approve(approval)).rejects.toMatchObject({ code: "NotFound" });
    expect(existsSync(ran)).toBe(false);
  });

  test("a session that was approved is typed into without a question", async () => {
    await policy({ ask: ["terminal"] });
    const ann = await person();
    const creates = doors.client("relay").terminal.create({ shell: "/bin/sh" });
    const approval = await waiting(ann);
    expect(approval.what).toMatch(/^shell: \/bin\/sh$/m);
    await ann.approvals.approve(approval);
    const session = await creates;
    await session.sendInput("echo $((6 * 7))\n");
    await session.waitFor(/42/);
    await session.close();
    expect(await ann.approvals.list()).toEqual([]);
  });

  test("waits no longer where the policy has come to forbid it", async () => {
    await policy({ ask: ["terminal"] });
    const ann = await person();
    const runs = doors
      .client("relay")
      .terminal.execute("true")
      .catch((error: unknown) => error);
    const approval = await waiting(ann);
    await policy({ ask: ["terminal"], scopes: ["machines:read", "approve"] });
    expect(await runs).toMatchObject({ code: "PolicyDenied" });
    await expect(ann.approvals.approve(approval)).rejects.toMatchObject({ code: "NotFound" });
  });
});
