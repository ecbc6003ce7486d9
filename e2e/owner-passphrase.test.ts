import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { openOwnerKey, parseSealedKey } from "@cmdop/proto";
import type { CMDOPClient, Session } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, OWNER_PASSPHRASE } from "./support/cluster.ts";
import {
  CMDOP_MAIN,
  CmdopProcess,
  cmdopEnvironment,
  type Finished,
  runCmdop,
} from "./support/cmdop-process.ts";

let cluster: Cluster;
let client: CMDOPClient;
/** An operator who has to be asked. */
let env: { readonly CMDOP_HOME: string };
beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  client = await cluster.client();
  env = { CMDOP_HOME: cluster.operatorHome };
});
afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

const ownerFile = (): string => path.join(cluster.operatorHome, "owner", "owner.key");

describe("on a terminal, a command that needs the owner asks", () => {
  /** A shell on a real terminal, as the operator has it. */
  async function shell(): Promise<Session> {
    const session = await client.terminal.create({
      shell: ["/bin/sh"],
      env: { ...env, NODE: process.execPath, MAIN: CMDOP_MAIN, PS1: "near> " },
    });
    await session.waitFor(/near> $/);
    return session;
  }

  const ask = async (session: Session, args: string): Promise<void> => {
    await session.sendInput(`"$NODE" "$MAIN" ${args}; echo "ended with $?"\n`);
    await session.waitFor(/Passphrase of \S+owner\.key: $/);
  };

  /** The terminal's modes as the next program finds them. */
  async function expectRestored(session: Session): Promise<void> {
    const count = "stty -a | tr ' ;' '\\n\\n' | grep -cxE 'echo|icanon|isig|opost'";
    await session.sendInput(`echo "modes: $(${count})"\n`);
    await session.waitFor(/modes: 4/);
    await session.close();
  }

  it("shows nothing of what is typed, says when it is wrong, and does the work when it is right", async () => {
    await using session = await shell();
    await ask(session, "keys list");
    await session.sendInput("not the one\r");
    await session.waitFor(/That is not it\. Passphrase of \S+: $/);
    await session.sendInput(`${OWNER_PASSPHRASE}\r`);
    await session.waitFor(/ended with 0/);
    const seen = await session.getHistory();
    expect(seen).toMatch(/^test +active/m);
    expect(seen).not.toContain("not the one");
    expect(seen).not.toContain(OWNER_PASSPHRASE);
    await expectRestored(session);
  });

  it("takes three tries", async () => {
    await using session = await shell();
    await ask(session, "keys list");
    for (const next of [/That is not it\. .*: $/, /That is not it\. .*: $/, /ended with 1/]) {
      await session.sendInput("guess\r");
      await session.waitFor(next);
    }
    expect(await session.getHistory()).toContain("This is not the passphrase");
    await expectRestored(session);
  });

  it("Ctrl-C leaves, and leaves the terminal as it was", async () => {
    await using session = await shell();
    await ask(session, "keys list");
    await session.sendInput("half\x03");
    await session.waitFor(/ended with 130/);
    await expectRestored(session);
  });

  it("a signal leaves the terminal as it was, too", async () => {
    await using session = await shell();
    await session.sendInput(`sh -c 'echo "pid $$"; exec "$NODE" "$MAIN" keys list'; echo "ended with $?"\n`);
    await session.waitFor(/Passphrase of \S+owner\.key: $/);
    const [, pid = ""] = /^pid (\d+)/m.exec(await session.getHistory()) ?? [];
    await client.terminal.execute(["kill", "-TERM", pid]);
    await session.waitFor(/ended with 143/);
    await expectRestored(session);
  });

  it("the first cmdop init asks nothing, and shows there what it keeps nowhere, whatever its streams are", async () => {
    await using session = await shell();
    const line = `CMDOP_HOME='${path.join(cluster.directory, "another")}' "$NODE" "$MAIN" init --json`;
    await session.sendInput(`${line} > '${cluster.directory}/out' 2>&1; echo "ended with $?"\n`);
    await session.waitFor(/ended with 0/);
    const seen = (await session.getHistory()).replaceAll("\r", "");
    expect(seen).toMatch(/^owner passphrase: \w{4}(-\w{4}){5}$/m);
    expect(seen).toMatch(/^recovery key: [\w-]{43}$/m);
    expect(await readFile(path.join(cluster.directory, "out"), "utf8")).toMatch(
      /^\{"owner":"[^"]+","created":true\}\n$/,
    );
    await session.close();
  });
});

describe("a script", () => {
  /** Runs a command with this text on its file descriptor 3. */
  async function withDescriptor(text: string, ...args: readonly string[]): Promise<Finished> {
    const child = spawn(process.execPath, [CMDOP_MAIN, ...args, "--passphrase-fd", "3"], {
      env: cmdopEnvironment(env),
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      detached: true,
    });
    const [, out, err, descriptor] = child.stdio;
    const texts = { stdout: "", stderr: "" };
    out?.on("data", (chunk) => (texts.stdout += String(chunk)));
    err?.on("data", (chunk) => (texts.stderr += String(chunk)));
    if (descriptor instanceof Object && "end" in descriptor) descriptor.end(text);
    await once(child, "close");
    return { exitCode: child.exitCode, ...texts };
  }

  it("gives it on a file descriptor", async () => {
    expect(await withDescriptor(`${OWNER_PASSPHRASE}\n`, "keys", "list")).toMatchObject({ exitCode: 0 });
    expect(await withDescriptor("no\n", "keys", "list")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("not the passphrase"),
    });
    expect(await withDescriptor("", "keys", "list")).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("no passphrase to be read from descriptor 3"),
    });
  });

  it.each([["keys list"], ["join-token web-9"], ["owner rotate"], ["machines label web-1 a=b"]])(
    "promise 10: %s says how to give it, where there is neither that nor a terminal",
    async (command) => {
      const { exitCode, stdout, stderr } = await runCmdop(command.split(" "), env);
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
      expect(stderr).toMatch(
        /error: .*owner\.key is sealed.*\nnext: .*--passphrase-fd.*CMDOP_OWNER_PASSPHRASE/,
      );
    },
  );

  it("is told that a passphrase is wrong, and that one for a new key is too short", async () => {
    const wrong = await runCmdop(["keys", "list"], { ...env, CMDOP_OWNER_PASSPHRASE: "something else" });
    expect(wrong).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("not the passphrase") });
    const home = path.join(cluster.directory, "short");
    const short = await runCmdop(["init"], { CMDOP_HOME: home, CMDOP_OWNER_PASSPHRASE: "short" });
    expect(short).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("at least 8 characters") });
    expect(short.stderr).not.toContain("recovery key:");
  });

  it("needs none to see who the owner is", async () => {
    const { exitCode, stdout } = await runCmdop(["owner", "show", "--json"], env);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ owner: expect.stringMatching(/^[\w-]{43}$/) });
  });
});

describe("promise 6: what stays and is started with the passphrase in its environment", () => {
  const environmentOf = async (started: CmdopProcess): Promise<string> =>
    readFile(`/proc/${started.pid}/environ`, "latin1");

  it("starts over without it: neither relay nor agent shows it in /proc", async () => {
    const home = await mkdtemp(path.join(os.tmpdir(), "cmdop-stays-"));
    const given = { CMDOP_HOME: home, CMDOP_OWNER_PASSPHRASE: OWNER_PASSPHRASE };
    const { owner } = parseSealedKey(await readFile(ownerFile(), "utf8"), ownerFile());
    const relay = await CmdopProcess.start(["relay", "--owner", owner, "--port", "0", "--json"], given);
    expect(await environmentOf(relay.process)).toContain(home);
    expect(await environmentOf(relay.process)).not.toContain(OWNER_PASSPHRASE);
    await relay.process.stop();
    const agent = await cluster.addMachine("web-2", { env: given });
    expect(await environmentOf(agent.process)).toContain(agent.home);
    expect(await environmentOf(agent.process)).not.toContain(OWNER_PASSPHRASE);
    await rm(home, { recursive: true });
  });
});

describe("an owner key that lies unsealed", () => {
  it.each([["join-token web-9"], ["keys list"], ["owner show"], ["owner rotate"], ["init"], ["up --port 0"]])(
    "promise 10: is refused by %s, with the way out",
    async (command) => {
      const home = await mkdtemp(path.join(os.tmpdir(), "cmdop-unsealed-"));
      const sealed = parseSealedKey(await readFile(ownerFile(), "utf8"), ownerFile());
      const key = await openOwnerKey(sealed, OWNER_PASSPHRASE);
      const unsealed = `${Buffer.from(key?.seed ?? []).toString("base64url")}\n`;
      await mkdir(path.join(home, "owner"), { mode: 0o700 });
      await writeFile(path.join(home, "owner", "owner.key"), unsealed, { mode: 0o600 });
      const given = { CMDOP_HOME: home, CMDOP_OWNER_PASSPHRASE: OWNER_PASSPHRASE };
      const { exitCode, stdout, stderr } = await runCmdop(command.split(" "), given);
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
      expect(stderr).toMatch(new RegExp(`unsealed.*\\nnext: .*cmdop owner recover --remove ${sealed.owner}`));
      expect(stderr).not.toContain(unsealed.trim());
      await rm(home, { recursive: true });
    },
  );
});

describe("cmdop up", () => {
  it("needs the passphrase again only when there is something to sign", async () => {
    const home = await mkdtemp(path.join(os.tmpdir(), "cmdop-up-again-"));
    const asked = { CMDOP_HOME: home };
    const given = { ...asked, CMDOP_OWNER_PASSPHRASE: OWNER_PASSPHRASE };
    const args = ["up", "--json", "--port", "0", "--name", "laptop"];
    const apiKey = async (): Promise<string> =>
      JSON.parse(await readFile(path.join(home, "profile.json"), "utf8")).apiKey;
    const first = await CmdopProcess.start(args, given, { noTerminal: true });
    const before = await apiKey();
    await first.process.stop();
    const second = await CmdopProcess.start(args, asked, { noTerminal: true });
    expect(second.ready.machine).toEqual(first.ready.machine);
    expect(second.process.stderr).not.toContain("passphrase");
    expect(await runCmdop(["keys", "revoke", "up-laptop"], given)).toMatchObject({ exitCode: 0 });
    await second.process.stop();

    const refused = await runCmdop(args, asked);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "", stderr: expect.stringContaining("is sealed") });
    const third = await CmdopProcess.start(args, given, { noTerminal: true });
    expect(third.ready.machine).toEqual(first.ready.machine);
    expect(await apiKey()).not.toBe(before);
    expect(await runCmdop(["exec", "laptop", "echo hi"], asked)).toMatchObject({ stdout: "hi\n" });
    await third.process.stop();
    await rm(home, { recursive: true });
  });
});
