import path from "node:path";
import { CMDOPClient, type Session } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { CMDOP_MAIN, runCmdop } from "./support/cmdop-process.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";
import { waitUntil } from "./support/wait.ts";

let cluster: Cluster;
let client: CMDOPClient;
let caller: CMDOPClient;
let env: Record<string, string>;

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  const { apiKey } = await cluster.createKey({ scopes: ["terminal", "machines:read"], machines: ["web-1"] });
  env = { CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(cluster.directory, "caller") };
  caller = CMDOPClient.remote({ apiKey });
  // Another key: what the tests' own terminals are is nothing to the command that runs in them.
  client = await cluster.client();
});

afterAll(async () => {
  await client.close();
  await caller.close();
  await cluster[Symbol.asyncDispose]();
});

/** The far shell, with a prompt that nothing else prints. */
const SHELL = ["shell", "web-1", "--", "env", "PS1=far> ", "sh"];

/** The real command in a real terminal of 80 by 24, as a person starts it. */
function terminal(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<Session> {
  return client.terminal.create({
    shell: [process.execPath, CMDOP_MAIN, ...args],
    env: { ...env, ...variables },
  });
}

/** The same, started by a shell that is still there when it has ended. */
function terminalWithShell(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<Session> {
  const line = '"$@"; echo "ended with $?"; PS1="near> " exec sh';
  return client.terminal.create({
    shell: ["sh", "-c", line, "sh", process.execPath, CMDOP_MAIN, ...args],
    env: { ...env, ...variables, NODE: process.execPath, MAIN: CMDOP_MAIN },
  });
}

/** Every byte that a terminal has been sent until now. */
async function rawOutput(session: Session): Promise<string> {
  const chunks: Uint8Array[] = [];
  let end = 0;
  const onStarted = ({ outputEnd }: { readonly outputEnd: number }): void => {
    end = outputEnd;
  };
  for await (const { offset, data } of session.attach({ onStarted })) {
    chunks.push(data);
    if (offset + data.length >= end) break;
  }
  return Buffer.concat(chunks).toString();
}

/** The ids of the caller's sessions that run. */
async function sessionIds(): Promise<string[]> {
  const { stdout } = await runCmdop(["sessions", "web-1", "--json"], env);
  return stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line).jobId);
}

/** Waits until a process with this command line runs on the machine. */
async function waitForProcess(command: string): Promise<void> {
  await waitUntil(async () => (await client.terminal.execute(["pgrep", "-fx", command])).exitCode === 0);
}

describe("cmdop shell", () => {
  it("is a terminal of our size, and stays so", async () => {
    await using near = await terminal(SHELL);
    await near.waitFor("far> ");
    await near.sendInput("stty size\r");
    await near.waitFor("24 80");
    await near.resize(100, 30);
    // The size travels by itself: it is there some time after ours has changed.
    await waitUntil(async () => {
      await near.sendInput("stty size\r");
      return (await near.waitFor(/(\d+ \d+)\n/)).groups[0] === "30 100";
    });
  });

  it("gives Ctrl-C to what runs on the machine, and goes on", async () => {
    await using near = await terminal(SHELL);
    await near.waitFor("far> ");
    await near.sendInput("sleep 63.1\r");
    await waitForProcess("sleep 63.1");
    await near.sendInput("\x03");
    await near.waitFor("far> ");
    await near.sendInput("echo code $?\r");
    await near.waitFor("code 130");
  });

  it.each([
    ["exit 7", 7],
    ["kill -9 $$", 137],
  ])("ends with the shell's code after %j: %i", async (line, exitCode) => {
    await using near = await terminal(SHELL);
    await near.waitFor("far> ");
    await near.sendInput(`${line}\r`);
    expect(await near.wait()).toMatchObject({ outcome: "exited", exitCode });
  });

  it("passes bytes on as they are, both ways", async () => {
    await using near = await terminal(SHELL);
    await near.waitFor("far> ");
    // A click, and keys that a terminal which is not raw would obey.
    await near.sendInput(
      "stty raw -echo; echo ready; dd bs=1 count=13 2>/dev/null | od -An -tx1; stty sane\r",
    );
    await near.waitFor("ready\n");
    await near.sendInput("\x1b[<0;10;5M\x03\x11\n");
    await near.waitFor("1b 5b 3c 30 3b 31 30 3b 35 4d 03 11 0a");
    await near.waitFor("far> ");
    // A line feed that only moves down, as full-screen programs use it.
    await near.sendInput("stty -opost; printf 'down\\nstairs\\r\\n'; stty opost\r");
    await near.waitFor("stairs\n");
    const { lines } = await near.screen();
    expect(lines).toContain("    stairs");
  });

  it("says where there is no such program", async () => {
    const { exitCode, stderr } = await runCmdop(["shell", "web-1", "--", "no-such-shell"], env);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("no-such-shell");
  });
});

/** Fills the screen as editors do, with mouse and all, until Enter. */
const FULL_SCREEN = [
  "printf '\\033[?1049h\\033[?1000h\\033[?1006h\\033[?25l\\033[2J\\033[5;10Hfull screen'",
  "read line",
  "printf '\\033[?25h\\033[?1006l\\033[?1000l\\033[?1049l'",
].join("; ");

describe("leaving a shell and coming back", () => {
  it("promise 4: Enter ~ . leaves, says how to come back, and the session lives on", async () => {
    await using near = await terminalWithShell(SHELL);
    await near.waitFor("far> ");
    await near.sendInput("answer=42\r~.");
    const { groups } = await near.waitFor(/to come back: cmdop attach web-1 (\S+)/);
    const [id = ""] = groups;
    await near.waitFor("ended with 0");
    await near.waitFor("near> ");
    await near.sendInput(`"$NODE" "$MAIN" attach web-1 ${id.slice(0, 8)}\r`);
    await near.waitFor("far> ");
    await near.sendInput("echo the answer is $answer\r");
    await near.waitFor("the answer is 42");
    await near.sendInput("exit 3\r");
    await near.waitFor("near> ");
    expect(await near.getHistory()).toContain("ended with 0");
  });

  it("leaves the terminal as it was, also in the middle of a full-screen program", async () => {
    await using near = await terminalWithShell(SHELL);
    await near.waitFor("far> ");
    await near.sendInput(`${FULL_SCREEN}\r`);
    await near.waitFor("full screen");
    await waitUntil(async () => (await near.screen()).alternate);
    expect((await near.screen()).lines[4]).toBe("         full screen");
    await near.sendInput("\r~.");
    await near.waitFor("near> ");
    expect((await near.screen()).alternate).toBe(false);
    const left = (await rawOutput(near)).split("full screen").at(-1);
    for (const mode of ["?1000l", "?1006l", "?25h", "?1049l"]) expect(left).toContain(`\x1b[${mode}`);
    await near.sendInput("stty -a\r");
    await near.waitFor("near> ");
    expect(await near.getHistory()).toMatch(/^opost|[^-]opost/m);
    expect(await near.getHistory()).toMatch(/[^-]icanon/);
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ])("a %s leaves, with %i, and the session lives on", async (signal, exitCode) => {
    await using near = await terminal(SHELL);
    await near.waitFor("far> ");
    await near.sendSignal(signal);
    expect(await near.wait()).toMatchObject({ outcome: "exited", exitCode });
    const [, id] = /attach web-1 (\S+)/.exec(await near.getHistory()) ?? [];
    expect(await sessionIds()).toContain(id);
  });

  it("promise 4: closing the window leaves, and the session lives on", async () => {
    const before = await sessionIds();
    const near = await terminal(SHELL);
    await near.waitFor("far> ");
    await near.close();
    const after = await sessionIds();
    expect(after.length).toBe(before.length + 1);
  });

  it("types piped input, and Ctrl-D where it ends", async () => {
    const exits = await runCmdop(SHELL, env, "echo sum $((40 + 2))\nexit 4\n");
    expect(exits).toMatchObject({ exitCode: 4, stdout: expect.stringContaining("sum 42") });
    const ends = await runCmdop(SHELL, env, "echo sum $((40 + 3))\n");
    expect(ends).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("sum 43") });
  });
});

describe("attaching to a session", () => {
  it("shows what was written without the questions in it, and questions that come", async () => {
    const line = "printf 'old\\033[6n output'; read key; printf 'new\\033[6n output'; read key";
    await using far = await caller.terminal.create({ shell: ["sh", "-c", line] });
    await far.waitFor("output");
    await using near = await terminal(["attach", "web-1", far.sessionId]);
    await near.waitFor("old output");
    await near.sendInput("\r");
    await near.waitFor("new output");
    expect((await rawOutput(near)).split("\x1b[6n").map((part) => part.slice(-3))).toEqual([
      expect.any(String),
      "put",
    ]);
    expect(await rawOutput(near)).toContain("new\x1b[6n");
  });

  it("gives it our size, and draws full-screen programs anew", async () => {
    const line = `trap 'printf "\\033[H%s" "$(stty size)"' WINCH; echo ready; while :; do sleep 0.05; done`;
    await using far = await caller.terminal.create({ shell: ["sh", "-c", line], cols: 60, rows: 10 });
    await far.waitFor("ready");
    await using near = await terminal(["attach", "web-1", far.sessionId]);
    await near.waitFor("24 80");
  });

  it("replays no more than its bound, on the screen that was on before", async () => {
    const line = "printf '\\033[?1049h'; seq 1 100000; printf 'all written'; read key; printf '\\033[?1049l'";
    await using far = await caller.terminal.create({ shell: ["sh", "-c", line] });
    await far.waitFor("all written");
    await using near = await terminal(["attach", "web-1", far.sessionId]);
    await near.waitFor("all written");
    expect((await near.screen()).alternate).toBe(true);
    expect((await rawOutput(near)).length).toBeLessThan(300_000);
    await near.sendInput("\r");
    expect(await near.wait()).toMatchObject({ exitCode: 0 });
    expect((await near.screen()).alternate).toBe(false);
  });

  it("any number may watch and type", async () => {
    await using far = await caller.terminal.create({ shell: ["env", "PS1=far> ", "sh"] });
    await far.waitFor("far> ");
    await using first = await terminal(["attach", "web-1", far.sessionId]);
    await using second = await terminal(["attach", "web-1", far.sessionId]);
    await Promise.all([first.waitFor("far> "), second.waitFor("far> ")]);
    await first.sendInput("echo from the $((0 + 1))st\r");
    await second.waitFor("from the 1st");
    await second.sendInput("exit 5\r");
    expect([(await first.wait()).exitCode, (await second.wait()).exitCode]).toEqual([5, 5]);
  });

  it.each([
    ["that does not exist", "00000000-0000-4000-8000-000000000000", 255, "JobUnknown|No job|knows no job"],
    ["by too little of an id", "abc", 2, "at least its first 4 characters"],
  ])("a session %s is refused with the next step", async (_title, id, exitCode, message) => {
    const result = await runCmdop(["attach", "web-1", id], env);
    expect(result.exitCode).toBe(exitCode);
    expect(result.stderr).toMatch(new RegExp(message));
  });

  it("a command is refused, with the way to its output", async () => {
    const { stdout: id } = await runCmdop(["exec", "web-1", "--detach", "true"], env);
    const { exitCode, stderr } = await runCmdop(["attach", "web-1", id.trim()], env);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`cmdop logs --follow web-1 ${id.trim()}`);
  });
});

describe("a lost link", () => {
  it("promise 3: is said on the last row, keys are kept and sent once, and the notice goes", async () => {
    await using proxy = await startTcpProxy(cluster.relayAddress);
    await using near = await terminal(SHELL, { CMDOP_RELAY: proxy.address });
    await near.waitFor("far> ");
    const lastRow = async () => (await near.screen()).lines[23] ?? "";
    proxy.cutAfterBytes = 0;
    proxy.cut();
    await waitUntil(async () => (await lastRow()).includes("the link is lost, reconnecting"));
    const { cursor } = await near.screen();
    expect(cursor).toEqual({ col: "far> ".length, row: 0 });
    await near.sendInput("echo kept $((6 * 7))\r");
    proxy.cutAfterBytes = undefined;
    await near.waitFor("kept 42");
    expect(await lastRow()).toBe("");
    await near.sendInput("exit\r");
    expect(await near.wait()).toMatchObject({ exitCode: 0 });
    expect((await near.getHistory()).match(/kept 42/g)).toHaveLength(1);
  });

  it("gives a plain prompt back the row where the notice stood", async () => {
    await using proxy = await startTcpProxy(cluster.relayAddress);
    const line = "seq 1 30; printf 'name? '; read name; echo hello $name";
    await using near = await terminal(["shell", "web-1", "--", "sh", "-c", line], {
      CMDOP_RELAY: proxy.address,
    });
    await near.waitFor("name? ");
    const lastRow = async () => (await near.screen()).lines[23] ?? "";
    proxy.cutAfterBytes = 0;
    proxy.cut();
    await waitUntil(async () => (await lastRow()).includes("the link is lost"));
    proxy.cutAfterBytes = undefined;
    await waitUntil(async () => (await lastRow()) === "name?");
    await near.sendInput("you\r");
    await near.waitFor("hello you");
  });

  it("makes full-screen programs draw anew when it is back", async () => {
    await using proxy = await startTcpProxy(cluster.relayAddress);
    const line = 'trap "echo drawn" WINCH; echo ready; while :; do sleep 0.05; done';
    await using near = await terminal(["shell", "web-1", "--", "sh", "-c", line], {
      CMDOP_RELAY: proxy.address,
    });
    await near.waitFor("ready");
    proxy.cut();
    await near.waitFor("drawn");
  });
});
