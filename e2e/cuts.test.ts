import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { CmdopError, type ExecResult, type ExecuteOptions } from "@cmdop/sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CutWorld, startCutWorld } from "./support/in-process.ts";
import { Random, SEED } from "./support/random.ts";

/** Connections that are cut in all; `npm run test:nightly` cuts many more. */
const CUTS = Number(process.env.CMDOP_TEST_CUTS ?? 300);

/** Of these tests each takes its share. */
const CUTS_EACH = Math.ceil(CUTS / 4);

/** A connection lives for this many bytes at most: more than a message, of 64 KiB at most, and what comes before it. */
const MAX_CONNECTION_BYTES = 200_000;

/** The same where everything is short: a handshake, and a few small calls. */
const SHORT_CONNECTION_BYTES = 12_000;

/** A cut costs two TLS handshakes and a pause; this is many times that, in milliseconds. */
const TIME_LIMIT_MS = 60_000 + CUTS_EACH * 500;

let world: CutWorld;

/** What each test of a describe works with. */
function useWorld(maxConnectionBytes: number): void {
  beforeEach(async () => {
    world = await startCutWorld(new Random(SEED), maxConnectionBytes);
    world.cutting = true;
  });
}
afterEach(async () => {
  world.cutting = false;
  await world[Symbol.asyncDispose]();
});

/** Lines that no two places of a text share. */
const lines = (name: string, count: number): string =>
  Array.from({ length: count }, (_, index) => `${name} ${index + 1}\n`).join("");

/** What says honestly that a call was not taken, or may not have been: since each names its job, it can be made again. */
const NOT_TAKEN: readonly string[] = ["RelayUnreachable", "MachineOffline", "OutcomeUnknown"];

/** Calls until the call is taken. */
async function untilTaken<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (thrown) {
      if (!NOT_TAKEN.includes(CmdopError.from(thrown).code)) throw thrown;
    }
  }
}

/** A command to its end, under one name however often it is sent. */
function execute(command: string, options: ExecuteOptions = {}): Promise<ExecResult> {
  const jobId = randomUUID();
  return untilTaken(() => world.client.terminal.execute(command, { ...options, jobId }));
}

/** How many times a command that says so in this file has been run. */
async function runs(file: string): Promise<number> {
  return (await readFile(file, "utf8")).split("\n").length - 1;
}

describe(`promises 2 and 3, over ${CUTS} cut connections (CMDOP_TEST_SEED=${SEED})`, () => {
  useWorld(MAX_CONNECTION_BYTES);

  it("promise 3: a command's output on both streams is whole, its outcome true, and it ran once", {
    timeout: TIME_LIMIT_MS,
  }, async () => {
    const file = path.join(world.directory, "runs");
    const count = 12_000;
    // It sleeps now and then, so that it is cut while it writes, too.
    const command = `echo run >> ${file}; i=0
      while [ $i -lt ${count} ]; do i=$((i+1)); echo "out $i"; echo "err $i" >&2
        [ $((i % 500)) -eq 0 ] && sleep 0.01
      done; exit 37`;
    for (let commands = 1; world.cuts < CUTS_EACH; commands++) {
      const result = await execute(command);
      expect(result).toMatchObject({ outcome: "exited", exitCode: 37, truncated: false });
      expect(result.stdout === lines("out", count)).toBe(true);
      expect(result.stderr === lines("err", count)).toBe(true);
      expect(await runs(file)).toBe(commands);
    }
  });

  it("promise 3: standard input arrives whole and once, and so does what comes back", {
    timeout: TIME_LIMIT_MS,
  }, async () => {
    const file = path.join(world.directory, "runs");
    const text = lines("a line of standard input", 12_000);
    for (let commands = 1; world.cuts < CUTS_EACH; commands++) {
      const source = async function* () {
        for (let from = 0; from < text.length; from += 10_000) yield text.slice(from, from + 10_000);
      };
      const result = await execute(`echo run >> ${file}; cat; exit 38`, { stdin: source() });
      expect(result).toMatchObject({ outcome: "exited", exitCode: 38, truncated: false });
      expect(result.stdout === text).toBe(true);
      expect(await runs(file)).toBe(commands);
    }
  });

  it("promise 3: what is typed into a session arrives once, and all that it answers is seen once", {
    timeout: TIME_LIMIT_MS,
  }, async () => {
    for (let sessions = 1; world.cuts < CUTS_EACH; sessions++) await typeLines(600, sessions);
  });
});

describe(`promises 2 and 3, where connections hardly live (CMDOP_TEST_SEED=${SEED})`, () => {
  useWorld(SHORT_CONNECTION_BYTES);

  it("promise 3: short sessions begin, are typed to, and end, each of it once", {
    timeout: TIME_LIMIT_MS,
  }, async () => {
    for (let sessions = 1; world.cuts < CUTS_EACH; sessions++) await typeLines(3, sessions);
  });
});

/** A session in which so many lines are typed, the last one being its end; `sessions` have had the same lines, this one included. */
async function typeLines(count: number, sessions: number): Promise<void> {
  const { terminal } = world.client;
  const file = path.join(world.directory, "typed");
  // Long enough to be cut in the middle, short enough for a terminal's line.
  const padding = "-".repeat(300);
  const shell = `stty -echo; echo ready
    while read -r line; do echo "$line" >> ${file}; echo "got $line"; [ "$line" = end ] && exit 39; done`;
  const sessionId = randomUUID();
  const session = await untilTaken(() => terminal.create({ sessionId, shell: ["/bin/sh", "-c", shell] }));
  const seen = untilTaken(() => collected(session.attach({ after: 0 })));
  await untilTaken(() => session.waitFor("ready"));
  for (let line = 1; line <= count; line++) await session.sendInput(`${line} ${padding}\n`);
  await session.sendInput("end\n");
  const typed = [...Array.from({ length: count }, (_, index) => `${index + 1} ${padding}`), "end"];
  expect(await seen).toBe(["ready", ...typed.map((line) => `got ${line}`), ""].join("\r\n"));
  expect(await untilTaken(() => session.wait())).toMatchObject({ outcome: "exited", exitCode: 39 });
  expect(await readFile(file, "utf8")).toBe(`${typed.join("\n")}\n`.repeat(sessions));
}

async function collected(chunks: AsyncIterable<{ data: Uint8Array }>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const { data } of chunks) all.push(data);
  return Buffer.concat(all).toString();
}
