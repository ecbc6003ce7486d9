import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { link, mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "../support/cluster.ts";
import { filesProcessOf } from "../support/files-process.ts";
import { connectMcp } from "../support/mcp-client.ts";
import { waitUntil } from "../support/wait.ts";

const run = promisify(execFile);

let cluster: Cluster;
let machine: ClusterMachine;
let client: CMDOPClient;
let directory: string;
const at = (name: string): string => path.join(directory, name);

beforeAll(async () => {
  await run("sh", ["-c", "command -v setfacl setfattr >&2 || apt-get install -y acl attr"]);
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  client = await cluster.client();
  directory = path.join(cluster.directory, "data");
  await mkdir(directory);
});
afterAll(async () => {
  await client?.[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

it("writing to newdir/ made a file newdir, and the next write replaced it", async () => {
  await writeFile(at("local"), "precious");
  for (const name of ["newdir/", "local/", "newdir/."]) {
    const calls = [
      () => client.files.write(`${directory}/${name}`, "x"),
      () => client.files.write(`${directory}/${name}`, "x", { append: true }),
      () => client.files.edit(`${directory}/${name}`, { old: "precious", new: "x" }),
      () => client.files.copy(at("local"), `${directory}/${name}`, { overwrite: true }),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        code: expect.stringMatching(/^(NotADirectory|InvalidArgument)$/),
      });
    }
  }
  expect([await readdir(directory), await readFile(at("local"), "utf8")]).toEqual([["local"], "precious"]);
});

it("an edit took the ACL and the attributes away from a settings file, and its group could write then", async () => {
  await writeFile(at("settings.ini"), "port=80\n", { mode: 0o640 });
  await run("setfacl", ["--modify", "u:daemon:r,g:games:rw", at("settings.ini")]);
  await run("setfattr", ["--name", "user.origin", "--value", "ansible", at("settings.ini")]);
  const kept = async (): Promise<string> => {
    const acl = await run("getfacl", ["--absolute-names", at("settings.ini")]);
    return acl.stdout + (await run("getfattr", ["--absolute-names", "--dump", at("settings.ini")])).stdout;
  };
  const before = await kept();
  const edited = await client.files.edit(at("settings.ini"), { old: "80", new: "8080" });
  expect(edited).not.toHaveProperty("written");
  await client.files.upload(at("local"), at("settings.ini"));
  expect([await kept(), await readFile(at("settings.ini"), "utf8")]).toEqual([before, "precious"]);
});

it("/etc/hosts of a container could not be written: unmount it first", async () => {
  await writeFile(at("hosts-of-the-host"), "127.0.0.1 localhost\n");
  await writeFile(at("hosts"), "");
  await run("mount", ["--bind", at("hosts-of-the-host"), at("hosts")]);
  try {
    const edited = await client.files.edit(at("hosts"), {
      old: "localhost\n",
      new: "localhost\n10.0.0.1 db\n",
    });
    expect(edited.written).toMatchObject({ atomic: false, message: expect.stringContaining("mount point") });
    const { apiKey } = await cluster.createKey({ scopes: ["files:write"], machines: ["web-1"] });
    const mcp = await connectMcp({ CMDOP_API_KEY: apiKey });
    const answer = await mcp.callTool({
      name: "files_write",
      arguments: { path: at("hosts"), content: "by MCP\n" },
    });
    await mcp.close();
    expect(JSON.stringify(answer.content)).toMatch(/in place, not atomically.*mount point/);
  } finally {
    await run("umount", [at("hosts")]);
  }
  expect(await readFile(at("hosts-of-the-host"), "utf8")).toBe("by MCP\n");
});

it("an edit of several lines found nothing in a file from Windows, and did not say why", async () => {
  await writeFile(at("windows.ini"), "[a]\r\nb=1\r\n[c]\r\n");
  await client.files.edit(at("windows.ini"), { old: "[a]\nb=1\n", new: "[a]\nb=2\nd=3\n" });
  expect(await readFile(at("windows.ini"), "latin1")).toBe("[a]\r\nb=2\r\nd=3\r\n[c]\r\n");
  await expect(client.files.edit(at("windows.ini"), { old: "b = 2", new: "" })).rejects.toThrow(
    "does not occur",
  );
  await expect(client.files.edit(at("windows.ini"), { old: "\t[C]", new: "" })).rejects.toThrow(
    /line 4, "\[c\]": column 1 has "\[" where the text has a tab/,
  );
});

it("a machine that lost power over a hard-linked file: both names have one of the two contents, at once when it is back", async () => {
  const size = 8 * 1024 * 1024;
  const content = (letter: string): Buffer => Buffer.alloc(size, letter);
  const hashes = ["a", "b"].map((letter) => createHash("sha256").update(content(letter)).digest("hex"));
  await writeFile(at("linked"), content("a"));
  await link(at("linked"), at("other-name"));
  await using held = await open(at("linked"));
  const letterAt = async (position: number): Promise<string> =>
    (await held.read(Buffer.alloc(1), 0, 1, position)).buffer.toString();
  const ways: [kill: () => Promise<unknown>, revive: () => Promise<void>][] = [
    [
      async () => process.kill((await filesProcessOf(machine.process.pid)) ?? 0, "SIGKILL"),
      async () => undefined,
    ],
    [() => machine.process.stop("SIGKILL"), () => cluster.restartAgent(machine)],
  ];
  for (const [kill, revive] of ways) {
    let isOver = false;
    const writing = (async () => {
      for (let round = 1; !isOver; round++)
        await client.files.write(at("linked"), content("ab"[round % 2] ?? ""));
    })().catch(() => undefined);
    // In the middle: its beginning is of the one, its end of the other.
    while ((await letterAt(0)) === (await letterAt(size - 1)))
      await new Promise((next) => setImmediate(next));
    await kill();
    isOver = true;
    await writing;
    await revive();
    const { sha256 } = await client.files.info(at("other-name"), { hash: true });
    expect(hashes).toContain(sha256);
    expect((await stat(at("linked"))).nlink).toBe(2);
    await waitUntil(async () => !(await readdir(directory)).some((name) => name.startsWith(".cmdop-tmp-")));
  }
});
