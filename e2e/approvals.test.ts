import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { CMDOPClient } from "@cmdop/sdk";
import { describe, expect, onTestFinished, test } from "vitest";
import { useDoors } from "./support/doors.ts";
import { useLivePolicy } from "./support/live-policy.ts";
import { machineChain } from "./support/machine-chain.ts";
import { ClusterOwner } from "./support/owner.ts";
import { waitUntil } from "./support/wait.ts";

const EXEC = "/cmdop.v1.Exec/Start";

const doors = useDoors();

const policy = useLivePolicy(doors);

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

describe("promise 5: what a person must approve", () => {
  test("waits, visibly, and runs once after a yes of another key; its retries ask no more", async () => {
    await policy.set({ ask: ["terminal"] });
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
    await policy.set({ ask: ["terminal"] });
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
    await policy.set(says);
    const ann = await person();
    const file = path.join(doors.cluster().directory, randomUUID());
    await writeFile(file, "");
    const deletes = doors
      .client("relay")
      .files.delete(file)
      .catch((error: unknown) => error);
    const approval = await waiting(ann);
    await policy.set({ ...says, roots: ["/"] });
    await ann.approvals.approve(approval);
    expect(await deletes).toMatchObject({
      code: "ApprovalRefused",
      message: expect.stringContaining("not what was approved"),
    });
    expect(existsSync(file)).toBe(true);
  });

  test("shows content by both ends, size and hash, and never scrolls its end out of sight", async () => {
    await policy.set({ ask: ["files:write", "terminal"] });
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
    await policy.set({ ask: ["terminal"], askTimeoutMs: 60_000 });
    const ann = await person();
    const { terminal } = doors.client("relay");
    const refused = terminal.execute("true").catch((error: unknown) => error);
    await ann.approvals.refuse((await waiting(ann)).approvalId, "not today");
    expect(await refused).toMatchObject({
      code: "ApprovalRefused",
      message: expect.stringContaining("not today"),
    });
    await policy.set({ ask: ["terminal"], askTimeoutMs: 50 });
    const ran = path.join(doors.cluster().directory, randomUUID());
    await expect(terminal.execute(["touch", ran])).rejects.toMatchObject({ code: "ApprovalRefused" });
    await expect(terminal.create({ shell: "/bin/sh" })).rejects.toMatchObject({ code: "ApprovalRefused" });
    expect(existsSync(ran)).toBe(false);
    expect((await approvalStates()).slice(-4)).toEqual(["asked", "expired", "asked", "expired"]);
  });

  test("is never approved by its own key, nor without the scope", async () => {
    await policy.set({ ask: ["terminal"] });
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
    await policy.set({ ask: ["/cmdop.v1.Files/Delete"] });
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
    await policy.set({ ask: ["terminal"] });
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
    await policy.set({ ask: ["terminal"] });
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
    await policy.set({ ask: ["terminal"] });
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
    await policy.set({ ask: ["terminal"] });
    const ann = await person();
    const runs = doors
      .client("relay")
      .terminal.execute("true")
      .catch((error: unknown) => error);
    const approval = await waiting(ann);
    await policy.set({ ask: ["terminal"], scopes: ["machines:read", "approve"] });
    expect(await runs).toMatchObject({ code: "PolicyDenied" });
    await expect(ann.approvals.approve(approval)).rejects.toMatchObject({ code: "NotFound" });
  });
});
