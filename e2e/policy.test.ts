import { randomUUID } from "node:crypto";
import { checkPolicy } from "@cmdop/agent";
import { agentStateDir } from "@cmdop/proto";
import { describe, expect, test } from "vitest";
import { type Door, useDoors } from "./support/doors.ts";
import { useLivePolicy } from "./support/live-policy.ts";
import { ClusterOwner } from "./support/owner.ts";
import { waitUntil } from "./support/wait.ts";

const DOORS: readonly Door[] = ["relay", "local"];
const EXEC = "/cmdop.v1.Exec/Start";
const READ = "/cmdop.v1.Files/Read";

const doors = useDoors();

const policy = useLivePolicy(doors);

describe("promise 5: the machine's own policy", () => {
  test.each(DOORS)("comes into force while the agent runs, and goes, through the %s door", async (door) => {
    const { terminal } = doors.client(door);
    expect((await terminal.execute("echo 1")).stdout).toBe("1\n");
    await policy.set({ scopes: ["machines:read", "files:read"] });
    await expect(terminal.execute("echo 1")).rejects.toMatchObject({ code: "PolicyDenied" });
    await policy.remove();
    expect((await terminal.execute("echo 1")).stdout).toBe("1\n");
  });

  test("stays what it was where the file is broken, and says so to whoever looks", async () => {
    const client = doors.client("relay");
    await policy.set({ readOnly: true });
    await policy.write('{"readOnly": false,');
    await waitUntil(async () => (await client.machine("web-1").info()).policyError !== "");
    expect((await client.machine("web-1").info()).policyError).toContain("policy.json can't be used");
    await expect(client.terminal.execute("true")).rejects.toMatchObject({ code: "PolicyDenied" });
    expect((await policy.records()).at(-1)?.error).toContain("policy.json can't be used");
    expect(await checkPolicy({ home: doors.machine().home })).toMatchObject({ error: expect.any(String) });

    await policy.write('{"readOnly": false}');
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
      await policy.set({ readOnly: true });
      expect(await runs).toMatchObject({ jobId, outcome: "unknown", exitCode: null });
      await expect(chunks.next()).rejects.toMatchObject({ message: expect.stringContaining("readOnly") });
      await policy.remove();
      expect(await isRunning()).toBe(true);
      await terminal.cancel(jobId);
      await session.close();
    },
  );

  test("has a ceiling of its own for whoever may open the socket", async () => {
    await policy.set({ local: ["machines:read"] });
    await expect(doors.client("local").terminal.execute("true")).rejects.toMatchObject({
      code: "PolicyDenied",
      message: expect.stringContaining("(local)"),
    });
    expect((await doors.client("relay").terminal.execute("echo 1")).stdout).toBe("1\n");
  });

  test.each(DOORS)("binds the programs that callers start, through the %s door", async (door) => {
    await policy.set({ shells: ["/bin/sh", "/bin/echo"] });
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
    await policy.set({ limits: { maxJobMs: 1_000 } });
    const { outcome, exitCode } = await doors.client("relay").terminal.execute("sleep 60");
    expect([outcome, exitCode]).toEqual(["timed_out", null]);
  });

  test.runIf(process.geteuid?.() === 0)("lets jobs run as another user", async () => {
    await policy.set({ user: "nobody", scopes: ["terminal", "machines:read"] });
    const client = doors.client("relay");
    expect((await client.terminal.execute("id -un; id -G", { cwd: "/" })).stdout).toMatch(/^nobody\n\d+\n$/);
    expect(await client.machine("web-1").info()).toMatchObject({ user: "nobody" });
    const state = agentStateDir(doors.machine().home);
    const { stderr } = await client.terminal.execute(`cat ${state}/machine.key ${policy.file}`, { cwd: "/" });
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
    // It must still hold when the relay is given it: a whole second may be nearly over.
    const ended = await owner.grant({ not_after: Math.floor(Date.now() / 1000) + 3 });
    const elsewhere = await owner.grant({ machines: [{ name: "db-*" }] });
    const local = doors.client("local");
    const relayed = doors.client("relay");
    await policy.set({ ask: ["terminal"] });

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
