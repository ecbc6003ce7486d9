import { readFile } from "node:fs/promises";
import path from "node:path";
import { CMDOPClient, type Session } from "@cmdop/sdk";
import { describe, expect, it } from "vitest";
import { useDoors } from "./support/doors.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";
import { waitUntil } from "./support/wait.ts";

const doors = useDoors();
const file = (name: string): string => path.join(doors.cluster().directory, name);

/** A plain shell with a prompt that is easy to find. */
const SHELL = { shell: "/bin/sh", env: { PS1: "$ ", ENV: "" } };

async function shownBy(session: Session, after = 0): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const { offset, data } of session.attach({ after })) {
    expect(offset).toBe(after);
    after += data.length;
    chunks.push(data);
  }
  return Buffer.concat(chunks).toString();
}

describe.each(["relay", "local"] as const)("sessions through the %s door", (door) => {
  const terminal = () => doors.client(door).terminal;

  it("type, wait, read, look, resize, end: each call of the handle", async () => {
    await using session = await terminal().create({ ...SHELL, cols: 60, rows: 10, cwd: "/usr" });
    await session.waitFor(/\$ $/);
    await session.sendInput("pwd; echo $((6 * 7))\n");
    expect(await session.waitFor(/^(\d+)\n/m)).toMatchObject({ text: "42\n", groups: ["42"] });
    await session.waitFor("$ ");
    expect(await session.getHistory()).toBe("$ pwd; echo $((6 * 7))\n/usr\n42\n$");
    expect(await session.getHistory({ maxLines: 2 })).toBe("42\n$");
    expect(await session.screen()).toMatchObject({
      text: "$ pwd; echo $((6 * 7))\n/usr\n42\n$",
      cursor: { col: 2, row: 3 },
      cols: 60,
      rows: 10,
      title: "",
      alternate: false,
    });
    await session.resize(100, 30);
    await session.sendInput("stty size\n");
    await session.waitFor("30 100");
    await session.sendInput("exit 5\n");
    expect(await session.wait()).toMatchObject({ outcome: "exited", exitCode: 5 });
    await expect(session.sendInput("x")).rejects.toMatchObject({ code: "JobEnded" });
  });

  it("the same by id, as in SEED.md", async () => {
    const { sessionId } = await terminal().create(SHELL);
    await terminal().sendInput(sessionId, "sleep 71.3; echo interrupted\n");
    await waitUntil(async () => (await terminal().execute("pgrep -fx 'sleep 71.3'")).exitCode === 0);
    await terminal().sendSignal(sessionId, "SIGINT");
    await terminal().waitFor(sessionId, /\$ $/);
    await terminal().resize(sessionId, 99, 33);
    expect(await terminal().screen(sessionId)).toMatchObject({ cols: 99, rows: 33 });
    expect(await terminal().getHistory(sessionId)).toContain("sleep 71.3");
    const listed = async () => (await terminal().list()).find(({ jobId }) => jobId === sessionId);
    expect(await listed()).toMatchObject({ kind: "session", outcome: null });
    expect(await terminal().close(sessionId)).toMatchObject({ outcome: "canceled", exitCode: null });
    expect(await listed()).toMatchObject({ outcome: { outcome: "canceled" } });
  });

  it("many watch at once, live and from the beginning: all see the same bytes, to the end", async () => {
    const session = await terminal().create(SHELL);
    const early = shownBy(session);
    await session.sendInput("for i in 1 2 3; do printf '%s\\n' line-$i; done\n");
    await session.waitFor("line-3");
    const late = [shownBy(session), shownBy(terminal().session(session.sessionId))];
    await session.sendInput("exit\n");
    const [first, ...others] = await Promise.all([early, ...late]);
    expect(first).toContain("line-1\r\nline-2\r\nline-3\r\n");
    for (const other of others) expect(other).toBe(first);
  });

  it("the start of the live part is told, and leaving harms nothing", async () => {
    await using session = await terminal().create(SHELL);
    await session.waitFor("$ ");
    await session.sendInput("echo rea''dy\n");
    await session.waitFor("ready\n$ ");
    let replayed = 0;
    for await (const { offset, data } of session.attach({
      onStarted: ({ outputEnd }) => {
        replayed = outputEnd;
      },
    })) {
      if (offset + data.length >= replayed) break;
    }
    expect(replayed).toBeGreaterThan(0);
    await session.sendInput("echo still he''re\n");
    await session.waitFor("still here");
  });

  it("promise 2: the same session id is one session; with another request it is refused", async () => {
    const sessionId = crypto.randomUUID();
    await using session = await terminal().create({ ...SHELL, sessionId });
    await session.sendInput("marker=on\n");
    const again = await terminal().create({ ...SHELL, sessionId });
    await again.sendInput('echo "$marker"ce\n');
    await again.waitFor("once");
    await expect(terminal().create({ ...SHELL, cwd: "/", sessionId })).rejects.toMatchObject({
      code: "JobConflict",
    });
  });

  it("a shell that is not there is refused with the reason", async () => {
    await expect(terminal().create({ shell: "/no/such/shell" })).rejects.toThrow("/no/such/shell");
  });

  it.each(["sendInput", "screen", "wait", "getHistory"] as const)(
    "%s of no session is JobUnknown",
    async (call) => {
      const session = terminal().session(crypto.randomUUID());
      await expect(call === "sendInput" ? session.sendInput("x") : session[call]()).rejects.toMatchObject({
        code: "JobUnknown",
      });
    },
  );

  it("sendStdin feeds a command that was started with stdinOpen, to its end of file", async () => {
    const jobId = crypto.randomUUID();
    const running = terminal().execute("cat; echo end", { jobId, stdin: "first ", stdinOpen: true });
    await waitUntil(async () => (await terminal().jobs()).some((job) => job.jobId === jobId));
    await terminal().sendStdin(jobId, "second ");
    await terminal().sendStdin(jobId, "third ", { eof: true });
    expect(await running).toMatchObject({ stdout: "first second third end\n", exitCode: 0 });
    await expect(terminal().sendStdin(jobId, "late")).rejects.toMatchObject({ code: "JobEnded" });
  });

  it("a large standard input is fed on when the soft limit is over", async () => {
    const stdin = Buffer.alloc(5_000_000, "x");
    const running = await terminal().execute("sleep 0.5; wc -c", { stdin, waitMs: 0 });
    if (running.status !== "running") throw new TypeError("not running");
    expect((await running.result()).stdout.trim()).toBe("5000000");
  });

  it("a command beyond its soft limit is listed, resumed by another, and canceled by its handle", async () => {
    const running = await terminal().execute("echo one; exec sleep 71.4", { waitMs: 300 });
    if (running.status !== "running") throw new TypeError("not running");
    const { jobId } = running;
    const [job] = (await terminal().jobs({ running: true, kind: "exec" })).filter(
      (one) => one.jobId === jobId,
    );
    expect(job).toMatchObject({ command: "echo one; exec sleep 71.4", outcome: null });
    expect(job?.startedAt.getTime()).toBeGreaterThan(Date.now() - 60_000);
    const resumed = terminal().resume(jobId);
    expect(await running.cancel()).toMatchObject({ outcome: "canceled" });
    expect(await resumed).toMatchObject({ outcome: "canceled", stdout: "one\n" });
    expect(await running.result()).toMatchObject({ outcome: "canceled", stdout: "one\n" });
  });
});

it("promise 4: a session lives on when everyone has left, and another client finds it as it was", async () => {
  const { apiKey } = await doors.cluster().createKey({ scopes: ["terminal"], machines: ["*"] });
  const sessionId = crypto.randomUUID();
  {
    await using first = CMDOPClient.remote({ apiKey });
    const session = await first.terminal.create({ ...SHELL, sessionId });
    await session.sendInput("answer=42\n");
  }
  await using second = CMDOPClient.remote({ apiKey });
  await using session = second.terminal.session(sessionId);
  await session.sendInput("echo is $answer\n");
  await session.waitFor("is 42");
  expect(await session.getHistory()).toContain("answer=42");
});

it("promises 2 and 3: over a line that is cut again and again, keys arrive once and all that is shown is seen", async () => {
  await using proxy = await startTcpProxy(doors.cluster().relayAddress);
  const { apiKey } = await doors.cluster().createKey({ scopes: ["terminal"], machines: ["*"] });
  const reconnect = { firstPauseMs: 2, maxPauseMs: 50 };
  await using through = CMDOPClient.remote({ apiKey, relay: proxy.address, reconnect });
  const log = file("typed");
  const session = await through.terminal.create({
    shell: [
      "/bin/sh",
      "-c",
      'stty -echo; echo ready; while read line; do echo "got $line"; echo "$line" >> "$0"; done',
      log,
    ],
  });
  const told: string[] = [];
  const shown = (async () => {
    let text = "";
    for await (const { data } of session.attach({ onLink: (state) => told.push(state) }))
      text += Buffer.from(data);
    return text;
  })();
  await session.waitFor("ready");
  const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
  for (const [index, line] of lines.entries()) {
    if (index % 10 === 5) proxy.cut();
    await session.sendInput(`${line}\n`);
  }
  await session.sendInput("\x04");
  expect((await shown).replaceAll("\r", "")).toBe(`ready\n${lines.map((line) => `got ${line}\n`).join("")}`);
  expect(await readFile(log, "utf8")).toBe(lines.map((line) => `${line}\n`).join(""));
  expect(told.slice(0, 2)).toEqual(["lost", "back"]);
});

it("a client that is closed leaves no stream behind: the program can end", async () => {
  const client = await doors.cluster().client();
  const session = await client.terminal.create(SHELL);
  await session.sendInput("echo x\n");
  const watching = (async () => {
    for await (const { offset } of session.attach()) expect(offset).toBeGreaterThanOrEqual(0);
  })();
  await session.waitFor("x");
  await client.close();
  await expect(watching).rejects.toMatchObject({ code: "InvalidArgument" });
  await expect(session.sendInput("y")).rejects.toMatchObject({ code: "InvalidArgument" });
});
