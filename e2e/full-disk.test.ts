import { randomUUID } from "node:crypto";
import type { CMDOPClient, ExecEvent } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";

/** Fits in the memory that a job without a file may have. */
const FITTING_BYTES = 4_000_000;

/** Does not. */
const LARGE_BYTES = 40_000_000;

let cluster: Cluster;
let client: CMDOPClient;

beforeAll(async () => {
  cluster = await Cluster.start();
  const machine = await cluster.addMachine("web-1");
  client = await cluster.client();
  await machine.process.stop();
  await cluster.restartAgent(machine, { fullDisk: true });
});
afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

async function all(events: AsyncIterable<ExecEvent>): Promise<ExecEvent[]> {
  const list: ExecEvent[] = [];
  for await (const event of events) list.push(event);
  return list;
}

const dataBytes = (events: readonly ExecEvent[]): number =>
  events.reduce((sum, event) => sum + ("data" in event ? event.data.length : 0), 0);

describe("on a full disk", () => {
  it("nothing can be written any more, by the agent's commands neither", async () => {
    const { exitCode } = await client.terminal.execute(
      `head -c 100000 /dev/zero > ${cluster.directory}/more`,
    );
    expect(exitCode).not.toBe(0);
  });

  it("a command runs, its output is whole, and it is said that a restart would forget it", async () => {
    const jobId = randomUUID();
    const command = `head -c ${FITTING_BYTES} /dev/zero; echo err >&2; exit 7`;
    const events = await all(client.terminal.stream(command, { jobId }));
    expect(events[0]).toMatchObject({ type: "started", inMemory: true });
    expect(events.at(-1)).toMatchObject({ outcome: "exited", exitCode: 7 });
    expect(dataBytes(events)).toBe(FITTING_BYTES + 4);
    const again = await client.terminal.resume(jobId);
    expect(again).toMatchObject({ exitCode: 7, stderr: "err\n", truncated: false });
    expect(again.stdoutBytes.length).toBe(FITTING_BYTES);
  });

  it("promise 2: a command still runs once, however often it is started", async () => {
    const jobId = randomUUID();
    const first = await client.terminal.execute("echo $$", { jobId });
    expect(await client.terminal.execute("echo $$", { jobId })).toMatchObject({ stdout: first.stdout });
  });

  it("promise 3: output beyond the memory reaches whoever reads it, whole", async () => {
    const events = await all(client.terminal.stream(`head -c ${LARGE_BYTES} /dev/zero; exit 8`));
    expect(dataBytes(events)).toBe(LARGE_BYTES);
    expect(events.filter(({ type }) => type === "dropped")).toEqual([]);
    expect(events.at(-1)).toMatchObject({ outcome: "exited", exitCode: 8 });
  });

  it("promise 3: what nobody read in time is dropped, counted and said", async () => {
    const shell = ["/bin/sh", "-c", `stty -onlcr; head -c ${LARGE_BYTES} /dev/zero; exit 9`];
    const session = await client.terminal.create({ shell });
    expect(await session.wait()).toMatchObject({ outcome: "exited", exitCode: 9 });
    const events = await all(client.terminal.resumeStream(session.sessionId));
    const droppedBytes = events.reduce((sum, event) => sum + ("bytes" in event ? Number(event.bytes) : 0), 0);
    expect(droppedBytes).toBeGreaterThan(0);
    expect(droppedBytes + dataBytes(events)).toBe(LARGE_BYTES);
  });
});
