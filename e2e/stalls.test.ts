import { readFileSync, writeFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { agentStateDir } from "@cmdop/proto";
import type { CMDOPClient, JsonSchema } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";
import { ModelServer } from "./support/model-server.ts";
import { waitUntil } from "./support/wait.ts";

const METER = pathToFileURL(path.join(import.meta.dirname, "support/loop-meter.ts")).href;

/** A hostile call may hold the agent's thread so many times longer than ordinary work does. */
const MOST_TIMES = 10;

/** Commands at once, which are ordinary work. */
const ORDINARY_COMMANDS = 16;

const MiB = 1024 * 1024;

let cluster: Cluster;
let machine: ClusterMachine;
let model: ModelServer;
let client: CMDOPClient;
let meterFile: string;
/** The longest turn of ordinary work. */
let ordinaryMs: number;

beforeAll(async () => {
  model = await ModelServer.start();
  cluster = await Cluster.start();
  meterFile = path.join(cluster.directory, "meter");
  writeFileSync(meterFile, "");
  machine = await cluster.addMachine("web-1", {
    env: { NODE_OPTIONS: `--import ${METER}`, METER_FILE: meterFile },
  });
  await model.serve(machine.home);
  model.always({ text: "Done." });
  client = await cluster.client([
    "agent",
    "terminal",
    "files:read",
    "files:write",
    "approve",
    "machines:read",
  ]);
  const large = await file("large", "x".repeat(4 * MiB));
  const commands = () => Array.from({ length: ORDINARY_COMMANDS }, () => client.terminal.execute("true"));
  const ordinary = () => [...commands(), client.files.read(large), client.files.read(large)];
  await during(ordinary);
  ordinaryMs = await during(ordinary);
});
afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
});

/** The longest turn of the agent's loop since the last call of this, in milliseconds of processor time. */
async function longestTurnMs(): Promise<number> {
  const looks = () => readFileSync(meterFile, "utf8").trimEnd().split("\n");
  const before = looks().length;
  machine.process.signal("SIGUSR2");
  await waitUntil(() => looks().length > before || (before === 1 && looks()[0] !== ""));
  return Number(looks().at(-1));
}

/** The longest turn while calls are under way, however they end. */
async function during(calls: () => readonly Promise<unknown>[]): Promise<number> {
  await longestTurnMs();
  await Promise.allSettled(calls());
  return longestTurnMs();
}

/** All that a hostile call is given, with a harmless one of its kind and size. */
interface Pair<T> {
  readonly harmless: T;
  readonly hostile: T;
  /** Calls at once. */
  readonly count: number;
}

/** Holds the hostile calls against ordinary work. The harmless ones run first, so that all code is warm. */
async function compare<T>({ harmless, hostile, count }: Pair<T>, call: (input: T) => Promise<unknown>) {
  const times = (input: T) => () => Array.from({ length: count }, () => call(input));
  const harmlessMs = await during(times(harmless));
  const hostileMs = await during(times(hostile));
  const seen = `${hostileMs} ms; harmless ${harmlessMs} ms, ordinary ${ordinaryMs} ms`;
  if (process.env.CMDOP_TEST_SHOW) console.log(seen);
  expect(hostileMs / ordinaryMs, seen).toBeLessThan(MOST_TIMES);
}

/** A file of the machine's. */
async function file(name: string, content: string): Promise<string> {
  const at = path.join(cluster.directory, name);
  await writeFile(at, content);
  return at;
}

/** Sets the policy and waits until it is in force. */
async function ask(method: string): Promise<void> {
  const policy = path.join(agentStateDir(machine.home), "policy.json");
  await writeFile(policy, JSON.stringify({ ask: [method], askTimeoutMs: 1_000 }), { mode: 0o600 });
  await waitUntil(
    async () => (await client.explain({ method, paths: [cluster.directory] })).decision === "ask",
  );
}

describe("promise 9: no caller holds the agent's thread, whatever it asks for", () => {
  it("attack: an edit whose search is quadratic", async () => {
    const at = await file("periodic", "a".repeat(MiB));
    const old = `ab${"a".repeat(24_574)}`;
    await compare({ harmless: "b".repeat(old.length), hostile: old, count: 1 }, (text) =>
      client.files.edit(at, { old: text, new: "" }),
    );
  });

  it("attack: schemas that take long to compile", async () => {
    const patterns = Array.from({ length: 6_000 }, (_, index) => [`^${index}`, {}] as const);
    const text = { type: "string", description: "x".repeat(58 * 1024) };
    const harmless: JsonSchema = { type: "object", properties: { text } };
    const hostile: JsonSchema = { type: "object", patternProperties: Object.fromEntries(patterns) };
    await compare({ harmless, hostile, count: 16 }, (outputJsonSchema) =>
      client.agent.run("Say something.", { agentType: "chat", maxSteps: 1, outputJsonSchema }),
    );
  });

  it("attack: an expression that takes for ever", async () => {
    const directory = path.join(cluster.directory, "searched");
    await mkdir(directory);
    await file("searched/lines", `${"a".repeat(60)}!\n`.repeat(1_000));
    await compare({ harmless: "b+c", hostile: "^(a+)+$", count: 8 }, async (pattern) => {
      for await (const _ of client.files.search(directory, { content: pattern }));
    });
  });

  it("attack: globs that try everything", async () => {
    const name = "a".repeat(250);
    await file(name, "");
    const globs = (one: string) => Array.from({ length: 16 }, (_, index) => `${one}${index}`);
    const hostile = globs("*a".repeat(120));
    await compare({ harmless: globs("b".repeat(240)), hostile, count: 8 }, async (exclude) => {
      for await (const _ of client.files.search(cluster.directory, { name: "a*", exclude }));
    });
  });

  it("attack: a command of a hundred thousand words", async () => {
    const words = Array.from({ length: 100_000 }, () => "a");
    await compare({ harmless: ["true", words.join(" ")], hostile: ["true", ...words], count: 10 }, (argv) =>
      client.terminal.execute(argv),
    );
  });

  it("attack: a terminal that is told to redraw its widest screen", async () => {
    await using session = await client.terminal.create({ shell: "/bin/cat", cols: 500, rows: 200 });
    const harmless = "x".repeat(60_000);
    const hostile = "\u001b[2J\u001b[999;999H\u001b[1;1H\u001b[999L".repeat(2_500);
    await compare({ harmless, hostile, count: 4 }, async (text) => {
      await session.sendInput(`${text}\n`);
      await session.screen();
    });
  });

  it("attack: calls that take long to put into words for the person who is asked", async () => {
    await ask("/cmdop.v1.Files/Edit");
    const at = await file("edited", "content");
    const size = 2 * MiB;
    await compare({ harmless: "a".repeat(size), hostile: "\u202e".repeat(size / 3), count: 10 }, (text) =>
      client.files.edit(at, { old: text, new: text }),
    );
  });
});
