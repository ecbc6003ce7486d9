import { chmod, chown, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { agentStateDir } from "@cmdop/proto";
import { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "../support/cluster.ts";
import { runCmdop } from "../support/cmdop-process.ts";
import { waitUntil } from "../support/wait.ts";

let cluster: Cluster;
let machine: ClusterMachine;
let client: CMDOPClient;
let env: Record<string, string>;
/** Where commands of each user may write. */
let place: string;

beforeAll(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  const { apiKey } = await cluster.createKey({ scopes: ["terminal", "machines:read"], machines: ["web-1"] });
  env = { CMDOP_API_KEY: apiKey, CMDOP_HOME: path.join(cluster.directory, "caller") };
  client = CMDOPClient.remote({ apiKey });
  await chmod(cluster.directory, 0o711);
});
afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

/** As `printf stdin | cmdop exec web-1 line` does it: input comes in a stream of its own. */
const exec = (stdin: string, line: string) =>
  client.terminal.execute(line, { cwd: place, stdin: Readable.from([stdin]) });

describe.each([
  ["the agent's own user", "root", {}],
  ["the policy's user", "nobody", { user: "nobody" }],
])("a command of %s", (_, user, policy) => {
  beforeAll(async () => {
    place = path.join(cluster.directory, user);
    await mkdir(place);
    await writeFile(path.join(agentStateDir(machine.home), "policy.json"), JSON.stringify(policy), {
      mode: 0o600,
    });
    await waitUntil(
      async () => (await client.terminal.execute("id -un", { cwd: "/" })).stdout.trim() === user,
    );
    const { stdout } = await client.terminal.execute("id -u; id -g", { cwd: "/" });
    const [uid = 0, gid = 0] = stdout.split("\n").map(Number);
    await chown(place, uid, gid);
  });

  it.each([
    ["install -m 600 /dev/stdin f && cat f", "text\n", "text\n"],
    ["bash /dev/stdin", "echo ran by $0\n", "ran by /dev/stdin\n"],
    ["cat /dev/stdin", "", ""],
    ["cat < /dev/stdin; cat /proc/self/fd/0", "once\n", "once\n"],
    ["echo same | diff - /dev/fd/0 </dev/stdin; echo $?", "same\n", "0\n"],
    ["tee /dev/stderr", "to both\n", "to both\n"],
    ["test -p /dev/stdin && stat -L -c %F /dev/stdin", "", "fifo\n"],
  ])("%s", async (line, stdin, stdout) => {
    expect(await exec(stdin, line)).toMatchObject({ stdout, exitCode: 0 });
  });

  it("tar tf /dev/stdin reads an archive, and what is larger than a pipe arrives whole", async () => {
    const packed = await client.terminal.execute(
      "head -c 3000000 /dev/zero > large && tar cf - large | base64 -w 0",
      { cwd: place },
    );
    expect(await exec(packed.stdout, "base64 -d | tar tvf /dev/stdin")).toMatchObject({
      stdout: expect.stringMatching(/ 3000000 .* large\n$/),
    });
    expect(await exec("x".repeat(3_000_000), "wc -c /dev/stdin")).toMatchObject({
      stdout: "3000000 /dev/stdin\n",
    });
  });

  it("echo x | cmdop exec", async () => {
    const line = `cd ${place} && install -m 600 /dev/stdin g && cat g /dev/stdin > /dev/stdout`;
    expect(await runCmdop(["exec", "web-1", "--cwd", place, line], env, "x\n")).toMatchObject({
      stdout: "x\n",
      exitCode: 0,
    });
  });

  it("echo > /dev/stdout and /dev/stderr write where they say", async () => {
    const line = "echo out > /dev/stdout; echo err > /dev/stderr; echo more | tee /dev/stderr";
    expect(await exec("", line)).toMatchObject({ stdout: "out\nmore\n", stderr: "err\nmore\n", exitCode: 0 });
  });

  it("bash reads no .bashrc, as it does for a login from afar", async () => {
    const home = path.join(place, "home");
    await mkdir(home);
    await writeFile(path.join(home, ".bashrc"), "echo noise\n");
    const line = `HOME=${home} SHLVL=0 exec bash -c 'echo clean'`;
    expect(await exec("x", line)).toMatchObject({ stdout: "clean\n", exitCode: 0 });
  });

  it("a command that closes its input early ends well, and so does its writer", async () => {
    expect(await exec("y\n".repeat(1_000_000), "head -n 1; exec 0<&-; echo end")).toMatchObject({
      stdout: "y\nend\n",
      exitCode: 0,
    });
  });

  it("a file that is written from standard input belongs to that user", async () => {
    await exec("mine\n", "install -m 640 /dev/stdin owned");
    const file = path.join(place, "owned");
    expect(await readFile(file, "utf8")).toBe("mine\n");
    expect((await stat(file)).uid).toBe((await stat(place)).uid);
  });
});
