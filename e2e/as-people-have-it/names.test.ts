import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { type CMDOPClient, pathBytes } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "../support/cluster.ts";
import { CMDOP_MAIN, cmdopEnvironment } from "../support/cmdop-process.ts";

let cluster: Cluster;
let client: CMDOPClient;
let env: Record<string, string>;
let dir: string;
beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("m");
  const { apiKey } = await cluster.createKey({
    scopes: ["terminal"],
    machines: ["m"],
  });
  const files = await cluster.createKey({ scopes: ["files:read", "files:write"], machines: ["m"] });
  client = await cluster.client();
  dir = path.join(cluster.directory, "names");
  await mkdir(bytes("d\xe9"), { recursive: true });
  await writeFile(bytes("d\xe9/caf\xe9.txt"), "found\n");
  env = cmdopEnvironment({
    CMDOP_HOME: path.join(dir, "home"),
    EXEC_KEY: apiKey,
    FILES_KEY: files.apiKey,
    D: dir,
  });
});
afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

/** A path whose characters are bytes. */
const bytes = (name: string): Buffer => Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(name, "latin1")]);

/** A line that a person types, in bash; `cmdop` is the real command. */
async function typed(line: string): Promise<string> {
  const cmdop = `cmdop() { CMDOP_API_KEY=$KEY "${process.execPath}" "${CMDOP_MAIN}" "$@"; }`;
  const { stdout } = await promisify(execFile)("/bin/bash", ["-c", `${cmdop}\n${line}`], {
    env,
    encoding: "latin1",
  });
  return stdout;
}

describe("a file whose name is not UTF-8", () => {
  it("is listed by a text that reads, edits, copies and deletes it again", async () => {
    const { entries } = await client.files.list(path.join(dir, "d\\xE9"));
    const [found] = entries;
    expect(found?.name).toBe("caf\\xE9.txt");
    const at = found?.path ?? "";
    expect(await client.files.readText(at)).toBe("found\n");
    await client.files.copy(at, path.join(dir, "copy\\xFF"));
    await client.files.edit(path.join(dir, "copy\\xff"), { old: "found", new: "edited" });
    expect(await readFile(bytes("copy\xff"), "utf8")).toBe("edited\n");
    await client.files.delete(path.join(dir, "copy\\xFF"));
    const { stdout } = await client.terminal.execute(["cat", pathBytes(at)], { check: true });
    expect(stdout).toBe("found\n");
    const { stdoutBytes } = await client.terminal.execute("pwd; echo '\\xE9'", {
      cwd: path.join(dir, "d\\xE9"),
    });
    expect(Buffer.from(stdoutBytes).toString("latin1")).toBe(`${dir}/d\xe9\n\\xE9\n`);
  });

  it("is an argument, as with ssh, and arguments that only look like escapes stay what they are", async () => {
    const line = `KEY=$EXEC_KEY; cmdop exec m -- cat "$D"/$'d\\xe9/caf\\xe9.txt' && cmdop exec m $'echo \\xe9' && cmdop exec m -- printf '%s' '\\xE9'`;
    expect(await typed(line)).toBe("found\n\xe9\n\\xE9");
  });

  it("is copied there and back, typed as bytes or pasted as it is shown, alone and in a tree", async () => {
    await typed(`KEY=$FILES_KEY; mkdir "$D/here"; cd "$D/here"
      cmdop cp -q "m:$D/d\\xE9/caf\\xE9.txt" . && cmdop cp -q $'caf\\xe9.txt' "m:$D/up\\xFE"
      cmdop cp -qr "$D"/$'d\\xe9' "m:$D/tree" && cmdop cp -qr "m:$D/tree" . && cmdop cp -q "m:$D/"$'d\\xe9/*' $'out\\xfd'`);
    expect((await readdir(path.join(dir, "here"), { encoding: "latin1" })).sort()).toEqual([
      "caf\xe9.txt",
      "out\xfd",
      "tree",
    ]);
    for (const name of [
      "here/caf\xe9.txt",
      "here/out\xfd",
      "here/tree/caf\xe9.txt",
      "tree/caf\xe9.txt",
      "up\xfe",
    ])
      expect([name, await readFile(bytes(name), "utf8")]).toEqual([name, "found\n"]);
  });
});
