import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { CMDOPClient, type ExecEvent } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";
import { isAlive, waitUntil } from "./support/wait.ts";

let cluster: Cluster;
let machine: ClusterMachine;
let apiKey: string;
let client: CMDOPClient;

beforeAll(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  ({ apiKey } = await cluster.createKey({ scopes: ["terminal", "machines:read"], machines: ["web-1"] }));
  client = CMDOPClient.remote({ apiKey });
});
afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

/** A file of this test's own, in which commands say that they ran. */
const runsFile = (): string => path.join(cluster.directory, randomUUID());

/** How many times a command ran that says so in this file. */
const runs = async (file: string): Promise<number> => (await readFile(file, "utf8")).split("\n").length - 1;

/** Reads events until the command has written this; the text so far. */
async function untilWritten(events: AsyncGenerator<ExecEvent, void, void>, text: string): Promise<string> {
  let written = "";
  for (let next = await events.next(); !next.done; next = await events.next()) {
    if (next.value.type === "stdout") written += Buffer.from(next.value.data);
    if (written.includes(text)) return written;
  }
  throw new Error(`ended before it wrote ${JSON.stringify(text)}: ${written}`);
}

/** Reads events to the last. */
async function endOf(events: AsyncGenerator<ExecEvent, void, void>): Promise<ExecEvent | undefined> {
  let last: ExecEvent | undefined;
  for await (const event of events) last = event;
  return last;
}

async function killAgent(): Promise<void> {
  await machine.process.stop("SIGKILL");
  await cluster.restartAgent(machine);
}

const isOnline = async (): Promise<boolean> => (await client.machines.list())[0]?.online ?? false;

describe("promise 2: at most once", () => {
  it("promise 2: two Starts at the same time are one job, and both are given all of it", async () => {
    const file = runsFile();
    const jobId = randomUUID();
    await using other = CMDOPClient.remote({ apiKey });
    const command = `echo run >> ${file}; sleep 0.2; echo done; exit 3`;
    const results = await Promise.all(
      [client, other].map(({ terminal }) => terminal.execute(command, { jobId })),
    );
    for (const result of results) expect(result).toMatchObject({ exitCode: 3, stdout: "done\n" });
    expect(await runs(file)).toBe(1);
  });

  it("promise 2: a Start after the end is given the end, also after kill -9 of the agent", async () => {
    const file = runsFile();
    const jobId = randomUUID();
    const command = `echo run >> ${file}; echo out; echo err >&2; exit 4`;
    const ended = { outcome: "exited", exitCode: 4, stdout: "out\n", stderr: "err\n", truncated: false };
    expect(await client.terminal.execute(command, { jobId })).toMatchObject(ended);
    expect(await client.terminal.execute(command, { jobId })).toMatchObject(ended);
    await killAgent();
    expect(await client.terminal.execute(command, { jobId })).toMatchObject(ended);
    expect(await runs(file)).toBe(1);
  });

  it("promise 2: the same id with another request is refused, now and after kill -9 of the agent", async () => {
    const jobId = randomUUID();
    const sessionId = randomUUID();
    const events = client.terminal.stream("echo begun; sleep 600", { jobId });
    await untilWritten(events, "begun");
    await client.terminal.create({ sessionId });
    const refused = async () => {
      for (const attempt of [
        () => client.terminal.execute("echo another", { jobId }),
        () => client.terminal.create({ sessionId, shell: "/bin/cat" }),
        () => client.terminal.create({ sessionId: jobId }),
      ]) {
        await expect(attempt()).rejects.toMatchObject({ code: "JobConflict" });
      }
    };
    await refused();
    await killAgent();
    await refused();
    expect(await endOf(events)).toMatchObject({ outcome: "unknown" });
  });
});

describe("promises 1 to 3 over kill -9 of the agent", () => {
  it("promise 1: a command's outcome is unknown and says why; what it wrote is there, what it left is ended, and it runs once", async () => {
    const file = runsFile();
    const jobId = randomUUID();
    const command = `echo run >> ${file}; seq 1 5000; echo err >&2; sleep 600 & echo child $!; wait`;
    const events = client.terminal.stream(command, { jobId });
    const written = await untilWritten(events, "child ");
    const child = Number(/child (\d+)/.exec(written)?.[1]);
    expect(isAlive(child)).toBe(true);
    await killAgent();

    const end = await endOf(events);
    expect(end).toMatchObject({ type: "ended", outcome: "unknown", exitCode: null });
    expect(end).toHaveProperty("reason", expect.stringMatching(/agent ended while .* has been ended/));
    expect(isAlive(child)).toBe(false);
    const expected = { outcome: "unknown", exitCode: null, stdout: written, stderr: "err\n" };
    expect(await client.terminal.resume(jobId)).toMatchObject(expected);
    expect(await client.terminal.execute(command, { jobId })).toMatchObject(expected);
    expect(await runs(file)).toBe(1);
  });

  it("promise 1: so is a session's, and its screen can still be read", async () => {
    const file = runsFile();
    const sessionId = randomUUID();
    const shell = ["/bin/sh", "-c", `echo run >> ${file}; echo shell $$; sleep 600 & echo child $!; wait`];
    const session = await client.terminal.create({ sessionId, shell });
    const { groups } = await session.waitFor(/shell (\d+)\n[\s\S]*child (\d+)\n/);
    const processes = groups.map(Number);
    expect(processes.map(isAlive)).toEqual([true, true]);
    const before = await session.screen();
    await killAgent();

    await waitUntil(isOnline);
    expect(await session.wait()).toMatchObject({ outcome: "unknown", exitCode: null });
    expect(processes.map(isAlive)).toEqual([false, false]);
    expect((await session.screen()).text).toBe(before.text);
    expect(await session.getHistory()).toContain("child");
    await client.terminal.create({ sessionId, shell });
    expect(await runs(file)).toBe(1);
    await expect(session.sendInput("x")).rejects.toMatchObject({ code: "JobEnded" });
  });
});

describe("promise 3 over kill -9 of the relay", () => {
  it("promise 3: what is typed into a session meanwhile arrives once, and all of its output is seen", async () => {
    const file = runsFile();
    const shell = `stty -echo; echo ready
      while read -r line; do echo "$line" >> ${file}; echo "got $line"; [ "$line" = end ] && exit 5; done`;
    const session = await client.terminal.create({ shell: ["/bin/sh", "-c", shell] });
    const seen: Uint8Array[] = [];
    const states: string[] = [];
    const watching = (async () => {
      for await (const { data } of session.attach({ onLink: (state) => states.push(state) })) seen.push(data);
    })();
    await session.waitFor("ready");
    await session.sendInput("before\n");
    await session.waitFor("got before");
    await cluster.relay.stop("SIGKILL");
    const typed = session.sendInput("meanwhile\n");
    await cluster.restartRelay();
    await typed;
    await session.sendInput("end\n");
    await watching;
    expect(Buffer.concat(seen).toString()).toBe("ready\r\ngot before\r\ngot meanwhile\r\ngot end\r\n");
    expect(states).toEqual(["lost", "back"]);
    expect(await readFile(file, "utf8")).toBe("before\nmeanwhile\nend\n");
    expect(await session.wait()).toMatchObject({ outcome: "exited", exitCode: 5 });
  });
});

describe("promise 4: a job outlives its caller", () => {
  it("promise 4: a command goes on when its caller has closed its client, and is read whole by the next", async () => {
    const file = runsFile();
    const jobId = randomUUID();
    {
      await using first = CMDOPClient.remote({ apiKey });
      const command = `echo begun; while [ ! -e ${file} ]; do sleep 0.02; done; seq 1 20000; exit 6`;
      await untilWritten(first.terminal.stream(command, { jobId }), "begun");
    }
    await client.terminal.execute(["touch", file]);
    const result = await client.terminal.resume(jobId);
    expect(result).toMatchObject({ outcome: "exited", exitCode: 6, truncated: false });
    expect(result.stdout.split("\n")).toHaveLength(20_002);
  });

  it("promise 4: a session lives on when everyone has left, and shows the next one what it did", async () => {
    const session = await client.terminal.create({ shell: "/bin/sh" });
    {
      await using first = CMDOPClient.remote({ apiKey });
      await first.terminal.sendInput(session.sessionId, "i=41; sleep 0.2; echo is $((i + 1))\n");
    }
    await session.waitFor("is 42");
    await session.sendInput("exit $i\n");
    expect(await session.wait()).toMatchObject({ outcome: "exited", exitCode: 41 });
  });
});
