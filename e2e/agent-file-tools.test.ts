import { mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { CMDOPClient, type RunResult } from "@cmdop/sdk";
import { describe, expect, it } from "vitest";
import { useAgentWorld } from "./support/agent-world.ts";
import type { AskedTool } from "./support/model-server.ts";

const world = useAgentWorld();

const directory = (): Promise<string> => mkdtemp(path.join(world().cluster.directory, "files-"));
const edit = (file: string, old: string, text: string, more: object = {}): AskedTool => ({
  name: "edit_file",
  arguments: { path: file, old, new: text, ...more },
});
const search = (where: string, more: object): AskedTool => ({
  name: "search_files",
  arguments: { path: where, ...more },
});

/** A run whose model asks for these tools, one after the other. */
async function runWith(client: CMDOPClient, tools: readonly AskedTool[]): Promise<RunResult<string>> {
  world().model.script(...tools.map((tool) => ({ tools: [tool] })), { text: "Done." });
  return client.agent.run("Use your tools.");
}

describe("edit_file", () => {
  it("replaces exact text and nothing else; what is ambiguous or absent changes nothing", async () => {
    const file = path.join(await directory(), "app.conf");
    await writeFile(file, "port = 80\nhost = a\nbackup = a\n");
    const { toolCalls } = await runWith(world().client, [
      edit(file, "port = 80", "port = 8080"),
      edit(file, "= a", "= b"),
      edit(file, "port = 80\n", "nothing"),
      edit(file, "= a", "= $& b", { all: true }),
    ]);
    expect(toolCalls.map(({ ok, output }) => [ok, output])).toEqual([
      [true, `replaced 1 place in ${file}`],
      [false, expect.stringMatching(/^InvalidArgument: .*occurs 2 times.*say all/s)],
      [false, expect.stringMatching(/^InvalidArgument: .*does not occur/)],
      [true, `replaced 2 places in ${file}`],
    ]);
    expect(await readFile(file, "utf8")).toBe("port = 8080\nhost = $& b\nbackup = $& b\n");
  });

  it("promise 5: needs both scopes for files, and stays in the directories of its key", async () => {
    const { cluster, model } = world();
    const open = await directory();
    const outside = path.join(await directory(), "outside.txt");
    await writeFile(outside, "one");
    await symlink(outside, path.join(open, "link.txt"));
    const scopes = ["agent", "files:read", "files:write"];
    const { apiKey } = await cluster.createKey({ scopes, machines: ["*"], paths: [open] });
    await using client = CMDOPClient.remote({ apiKey });
    const { toolCalls } = await runWith(client, [
      edit(outside, "one", "two"),
      edit(`${open}/link.txt`, "one", "two"),
    ]);
    expect(toolCalls).toMatchObject([
      { ok: false, output: expect.stringMatching(/^PermissionDenied: /) },
      { ok: false, output: expect.stringMatching(/^PolicyDenied: .*symbolic link/) },
    ]);
    expect(await readFile(outside, "utf8")).toBe("one");

    // Whether something matches tells what is in the file: who may not read it may not edit it.
    const writer = await cluster.createKey({ scopes: ["agent", "files:write"], machines: ["*"] });
    await using writing = CMDOPClient.remote({ apiKey: writer.apiKey });
    await runWith(writing, []);
    expect(model.calls[0]?.body.tools.map((tool) => tool.function.name)).toEqual(["write_file"]);
  });
});

describe("search_files", () => {
  it("finds lines and names, says what it passed over, and marks all of it as data", async () => {
    const where = await directory();
    await mkdir(path.join(where, "logs"));
    const log = path.join(where, "logs", "app.log");
    await writeFile(log, "start\nERROR one\nend\n");
    await writeFile(path.join(where, "logs", "image.bin"), "error\0\0");
    await writeFile(path.join(where, ".hidden.log"), "error two\n");
    const { toolCalls } = await runWith(world().client, [
      search(where, { content: "error", ignoreCase: true, contextLines: 1 }),
      search(where, { names: ["*.log"], hidden: true }),
      search(where, { content: "nowhere to be found", names: ["*.log"] }),
      search(where, { content: "(" }),
    ]);
    const [lines, names, nothing, wrong] = toolCalls.map(({ output }) => output);
    expect(lines).toMatch(/^1 result\n<data-[\w-]+>\n/);
    expect(lines).toContain(`"${log}"-1- start\n"${log}":2: ERROR one\n"${log}"-3- end\n`);
    expect(lines).toMatch(/\[passed over: .*image\.bin.*\]/);
    expect(names).toContain(`file 20 "${log}"`);
    expect(names).toContain('.hidden.log"');
    expect(nothing).toBe("nothing was found");
    expect(wrong).toMatch(/^InvalidArgument: /);
    expect(toolCalls.map(({ ok }) => ok)).toEqual([true, true, true, false]);
  });

  it("promise 9: a search ends at its limit, and says so", async () => {
    const where = await directory();
    await writeFile(path.join(where, "many.txt"), "match\n".repeat(1_000));
    const { toolCalls } = await runWith(world().client, [search(where, { content: "match" })]);
    expect(toolCalls[0]?.output).toMatch(/^the first 200 results; there may be more/);
    expect(toolCalls[0]?.output).toContain(":200: match");
    expect(toolCalls[0]?.output).not.toContain(":201: match");
  });

  it("promise 5: never finds what lies outside of the key's directories", async () => {
    const { cluster } = world();
    const open = await directory();
    const closed = await directory();
    await writeFile(path.join(closed, "secret.txt"), "the secret");
    await symlink(closed, path.join(open, "link"));
    const key = { scopes: ["agent", "files:read"], machines: ["*"], paths: [open] };
    await using client = CMDOPClient.remote({ apiKey: (await cluster.createKey(key)).apiKey });
    const { toolCalls } = await runWith(client, [
      search(closed, { content: "secret" }),
      search(open, { content: "secret" }),
    ]);
    expect(toolCalls).toMatchObject([
      { ok: false, output: expect.stringMatching(/^PermissionDenied: /) },
      { ok: true, output: "nothing was found" },
    ]);
  });
});
