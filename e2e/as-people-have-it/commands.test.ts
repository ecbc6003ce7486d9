import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { CMDOPClient, ExecResult, ExecuteOptions } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cluster, type ClusterMachine } from "../support/cluster.ts";
import { runCmdop } from "../support/cmdop-process.ts";
import { DeadMount } from "../support/dead-mount.ts";
import { LivePolicy } from "../support/live-policy.ts";

const run = promisify(execFile);

/** A real account, as useradd makes it: these tests need root. */
const USER = `cmdop-${process.pid}`;

/** What the agent is started with, as a unit or a shell would. */
const AGENT_ENVIRONMENT = {
  HTTPS_PROXY: "http://proxy.example:3128",
  JAVA_HOME: "/opt/java",
  OPENAI_API_KEY: "sk-of-the-agent",
};

let cluster: Cluster;
let machine: ClusterMachine;
let client: CMDOPClient;
let policy: LivePolicy;
let homes: string;
let home: string;

beforeAll(async () => {
  homes = await mkdtemp(path.join(os.tmpdir(), "cmdop-homes-"));
  await chmod(homes, 0o755);
  home = path.join(homes, USER);
  await run("useradd", ["--create-home", "--home-dir", home, "--shell", "/bin/bash", USER]);
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1", { env: AGENT_ENVIRONMENT });
  policy = new LivePolicy({ machine: () => machine });
  client = await cluster.client();
  await policy.set({ user: USER });
});
afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
  await run("userdel", ["--force", USER]);
  await rm(homes, { recursive: true });
});

const sh = (line: string, options: ExecuteOptions = {}): Promise<ExecResult> =>
  client.terminal.execute(line, options);

describe("a line runs in the user's shell, as over ssh", () => {
  test("mkdir -p proj/{data,notebooks} made one directory, and exited 0", async () => {
    const result = await sh("mkdir -p proj/{data,notebooks} && ls proj");
    expect(result).toMatchObject({ exitCode: 0, stdout: "data\nnotebooks\n", shell: "/bin/bash" });
  });

  test("source venv/bin/activate was 127, and [[ ]] and <( ) failed", async () => {
    await sh("mkdir -p venv/bin; echo 'VENV=on' > venv/bin/activate");
    const { stdout } = await sh("source venv/bin/activate; [[ $VENV == o* ]] && cat <(echo $VENV) && id -un");
    expect(stdout).toBe(`on\n${USER}\n`);
  });

  test("sh is to be had by its name, and any other by its path", async () => {
    expect(await sh("echo {a,b}", { shell: "sh" })).toMatchObject({ stdout: "{a,b}\n", shell: null });
    const dash = "/bin/dash";
    expect(await sh("echo $0", { shell: dash })).toMatchObject({ stdout: `${dash}\n`, shell: dash });
    await expect(sh("true", { shell: "python" })).rejects.toMatchObject({ code: "InvalidArgument" });
    await expect(client.terminal.execute(["true"], { shell: "sh" })).rejects.toThrow("runs in no shell");
  });

  test("exit codes and signals are the shell's own", async () => {
    expect(await sh("exit 7")).toMatchObject({ outcome: "exited", exitCode: 7 });
    expect(await sh("set -e; false; echo on")).toMatchObject({ exitCode: 1, stdout: "" });
    expect(await sh("kill -9 $$; true")).toMatchObject({ outcome: "signaled", signal: "SIGKILL" });
    expect(await sh("(kill -9 $BASHPID); exit $?")).toMatchObject({ outcome: "exited", exitCode: 137 });
    expect(await sh("no-such-command")).toMatchObject({ outcome: "exited", exitCode: 127 });
  });

  test("after chsh the next command ran in the old shell; and nologin, fish or a missing one leave lines to sh", async () => {
    const after = async (shell: string): Promise<ExecResult> => {
      await run("usermod", ["--shell", shell, USER]);
      return sh("echo $0 $SHELL");
    };
    try {
      expect(await after("/bin/dash")).toMatchObject({ stdout: "/bin/dash /bin/dash\n", shell: "/bin/dash" });
      for (const shell of ["/usr/sbin/nologin", "/opt/none/zsh"])
        expect(await after(shell)).toMatchObject({ stdout: `/bin/sh ${shell}\n`, shell: null });
    } finally {
      await run("usermod", ["--shell", "/bin/bash", USER]);
    }
  });

  test("a policy's shells still bind: of the user's own and sh whichever is listed, and no other by any name", async () => {
    try {
      await policy.set({ user: USER, shells: ["/bin/sh", "/usr/bin/true"] });
      expect(await sh("echo $0")).toMatchObject({ stdout: "/bin/sh\n", shell: null });
      for (const shell of ["/bin/bash", "bash", "/bin/../bin/sh"])
        await expect(sh("true", { shell })).rejects.toMatchObject({ code: "PolicyDenied" });
      await policy.set({ user: USER, shells: ["/usr/bin/true"] });
      await expect(sh("true")).rejects.toMatchObject({ code: "PolicyDenied" });
      expect(await client.terminal.execute(["/usr/bin/true"])).toMatchObject({ exitCode: 0 });
      const login = client.terminal.execute(["/usr/bin/true"], { login: true });
      await expect(login).rejects.toMatchObject({ code: "PolicyDenied" });
    } finally {
      await policy.set({ user: USER });
    }
  });

  test("cmdop exec --json says which shell ran", async () => {
    const { apiKey } = await cluster.createKey({ scopes: ["terminal"], machines: ["*"] });
    const env = { CMDOP_HOME: path.join(homes, "caller"), CMDOP_API_KEY: apiKey };
    const { stdout, exitCode } = await runCmdop(["exec", "web-1", "-n", "--json", "echo {a,b}; exit 3"], env);
    const said = { shell: "/bin/bash", stdout: "a b\n", exitCode: 3, outcome: "exited" };
    expect(JSON.parse(stdout)).toMatchObject(said);
    expect(exitCode).toBe(3);
  });
});

describe("the machine's environment", () => {
  test("a proxy and JAVA_HOME that were set for the agent were gone; its keys always are", async () => {
    const file = path.join(homes, "variables");
    await writeFile(file, 'KUBECONFIG="/etc/k8s/config"\nGEMINI_API_KEY=sk-of-the-file\nCMDOP_HOME=/x\n');
    const pass = ["HTTPS_PROXY", "JAVA_*", "OPENAI_*", "CMDOP*"];
    const set = { SSL_CERT_FILE: "/etc/ca.pem" };
    await policy.set({ user: USER, environment: { pass, set, files: [file] } });
    const variables = (await sh("env")).stdout.split("\n");
    expect(variables).toEqual(
      expect.arrayContaining([
        "HTTPS_PROXY=http://proxy.example:3128",
        "JAVA_HOME=/opt/java",
        "KUBECONFIG=/etc/k8s/config",
        "SSL_CERT_FILE=/etc/ca.pem",
        `HOME=${home}`,
        "SHELL=/bin/bash",
      ]),
    );
    expect(variables.join("\n")).not.toMatch(/API_KEY|sk-of|CMDOP_(?!JOB_MARK)/);
    expect((await sh("echo $JAVA_HOME", { env: { JAVA_HOME: "/mine" } })).stdout).toBe("/mine\n");
    const shell = await client.terminal.create({ shell: ["/bin/sh", "-c", "echo [$KUBECONFIG]"] });
    await shell.waitFor(/\[\/etc\/k8s\/config\]/);
  });
});

describe("login: true reads the profile, as cmdop shell does", () => {
  beforeAll(async () => {
    await mkdir(path.join(home, ".nvm"), { recursive: true });
    await writeFile(path.join(home, ".nvm/nvm-node"), "#!/bin/sh\necho v24\n", { mode: 0o755 });
    // Where its installer puts it: behind Debian's guard, which lets only interactive shells pass.
    const bashrc = 'case $- in *i*) ;; *) return;; esac\necho "Welcome!"\nexport PATH="$HOME/.nvm:$PATH"\n';
    await writeFile(path.join(home, ".bashrc"), bashrc);
    await writeFile(path.join(home, ".profile"), ". ~/.bashrc\necho motd; echo trouble >&2\n");
  });

  test("node of nvm was not found, and with the profile its greeting stood in the output", async () => {
    expect(await sh("nvm-node")).toMatchObject({ exitCode: 127 });
    expect(await sh("nvm-node", { login: true })).toMatchObject({ stdout: "v24\n", stderr: "", exitCode: 0 });
    expect(await client.terminal.execute(["nvm-node"], { login: true })).toMatchObject({ stdout: "v24\n" });
    const fed = await sh("nvm-node; cat; pwd", { login: true, stdin: "input\n", cwd: "/tmp" });
    expect(fed).toMatchObject({ stdout: "v24\ninput\n/tmp\n", shell: "/bin/bash" });
    // One that no profile is written for has what the user's own leaves.
    const other = await sh("whatever", { login: true, shell: "/usr/bin/echo" });
    expect(other).toMatchObject({ stdout: "-c whatever\n", exitCode: 0, shell: "/usr/bin/echo" });
  });

  test("so for every command, where the policy says so, and not for one that will not", async () => {
    await policy.set({ user: USER, environment: { login: true } });
    expect(await sh("nvm-node")).toMatchObject({ stdout: "v24\n" });
    expect(await sh("nvm-node", { login: false })).toMatchObject({ exitCode: 127 });
    await policy.set({ user: USER });
  });

  test("a profile that ended its shell was a success without output", async () => {
    await writeFile(path.join(home, ".profile"), "echo maintenance today; exit 0\n");
    const { outcome, reason, stdout } = await sh("echo ran", { login: true });
    expect([outcome, stdout]).toEqual(["failed_to_start", ""]);
    expect(reason).toMatch(/profile that \/bin\/bash reads .* with exit code 0, .*maintenance today/s);
  });
});

test("a home and a TMPDIR on a dead mount keep no agent from its start", async () => {
  await using mount = await DeadMount.mount();
  await machine.process.stop();
  await run("usermod", ["--home", path.join(mount.directory, "home"), USER]);
  await cluster.restartAgent(machine, { TMPDIR: mount.directory });
  expect(await sh("id -un; pwd", { cwd: "/" })).toMatchObject({ stdout: `${USER}\n/\n`, exitCode: 0 });
}, 60_000);
