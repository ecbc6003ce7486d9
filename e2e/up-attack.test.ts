import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { openOwnerKey, parseSealedKey } from "@cmdop/proto";
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { CMDOP_MAIN, CmdopProcess } from "./support/cmdop-process.ts";
import { connectMcp } from "./support/mcp-client.ts";

const HUNTER = path.join(import.meta.dirname, "support/secret-hunter.ts");

const resultSchema = z.object({ exitCode: z.number().nullable(), stdout: z.string(), stderr: z.string() });

let directory: string;
let home: string;
let up: CmdopProcess;
let client: Client;

/** Brings up a home of its own with `cmdop up`, as an AI client's user does, and an MCP client with the key that it made. */
async function start(variables: Readonly<Record<string, string>> = {}): Promise<void> {
  directory = await mkdtemp(path.join(os.tmpdir(), "cmdop-up-attack-"));
  home = path.join(directory, "home");
  const args = ["up", "--json", "--port", "0", "--name", "laptop"];
  const env = { CMDOP_HOME: home, ...variables };
  up = (await CmdopProcess.start(args, env, { noTerminal: true })).process;
  client = await connectMcp({ CMDOP_HOME: home });
}

async function end(): Promise<void> {
  await client.close();
  await up.stop();
  await rm(directory, { recursive: true });
}

/** What standard error has shown once. */
function shown(name: string): string {
  return new RegExp(`^${name}: (\\S+)$`, "m").exec(up.stderr)?.[1] ?? "";
}

/** Runs a command line through the key that `cmdop up` has printed, as a model would. */
async function job(command: string): Promise<{ exitCode: unknown; stdout: string; stderr: string }> {
  const { structuredContent } = await client.callTool({ name: "terminal_execute", arguments: { command } });
  return resultSchema.parse(structuredContent);
}

/** Where a job finds the owner's private key, or one of these texts. */
async function hunt(needles: readonly string[]): Promise<string[]> {
  const file = path.join(directory, "needles.json");
  await writeFile(file, JSON.stringify(needles));
  const { stdout, stderr } = await job(`'${process.execPath}' '${HUNTER}' '${home}' '${file}'`);
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout);
}

/** The owner's private key, as it might lie somewhere. */
async function privateKey(passphrase: string): Promise<string[]> {
  const file = path.join(home, "owner", "owner.key");
  const key = await openOwnerKey(parseSealedKey(await readFile(file, "utf8"), file), passphrase);
  const seed = Buffer.from(key?.seed ?? []);
  expect(seed.length).toBe(32);
  return [seed.toString("latin1"), seed.toString("base64url"), seed.toString("hex")];
}

/** As the user types it, from inside a job. */
const asUser = (args: string): string => `CMDOP_HOME='${home}' '${process.execPath}' '${CMDOP_MAIN}' ${args}`;

describe("promise 5: the key that cmdop up prints makes nobody an owner", () => {
  beforeAll(() => start());
  afterAll(end);

  it("its jobs find no owner's private key in any file, environment or command line", async () => {
    expect(await hunt([])).toEqual([]);
  });

  it("its jobs can't make a key with admin", async () => {
    const create = asUser("keys create evil --scope admin --machine '*'");
    const made = await job(create);
    expect(made).toMatchObject({ exitCode: 1, stdout: "", stderr: expect.stringContaining("is sealed") });
    const guess = await job(`CMDOP_OWNER_PASSPHRASE=12345678 ${create}`);
    expect(guess).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: expect.stringContaining("not the passphrase"),
    });
  });

  it("its jobs find neither passphrase nor recovery key, nor the private key, not even in the memory of what runs", async () => {
    const [passphrase, recovery] = [shown("owner passphrase"), shown("recovery key")];
    expect(passphrase).toMatch(/^\w{4}(-\w{4}){5}$/);
    expect(recovery).toHaveLength(43);
    const needles = [passphrase, recovery, ...(await privateKey(passphrase))];
    expect(await hunt(needles)).toEqual([]);
  });
});

describe("promise 6: a passphrase that is given to cmdop up", () => {
  const passphrase = "given by a script, in a variable";
  beforeAll(() => start({ CMDOP_OWNER_PASSPHRASE: passphrase }));
  afterAll(end);

  it("is in no environment and no memory once its agent runs, and no job inherits it", async () => {
    expect(shown("owner passphrase")).toBe("");
    const needles = [passphrase, shown("recovery key"), ...(await privateKey(passphrase))];
    expect(await hunt(needles)).toEqual([]);
    expect((await job("env")).stdout).not.toContain("PASSPHRASE");
  });

  it("opens the owner key for the commands that need it", async () => {
    const made = await job(
      `CMDOP_OWNER_PASSPHRASE='${passphrase}' ${asUser("keys create k --scope terminal --machine laptop")}`,
    );
    expect(made).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^cmd_/) });
  });
});
