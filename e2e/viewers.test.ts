import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { codec, HEADERS, Jobs, parseApiKey, signCallToken } from "@cmdop/proto";
import { CMDOPClient, type ExecEvent } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { CMDOP_MAIN, cmdopEnvironment } from "./support/cmdop-process.ts";
import { residentBytes } from "./support/memory.ts";
import { closed, RawCaller } from "./support/raw-call.ts";
import { startTcpProxy } from "./support/tcp-proxy.ts";

const MiB = 1024 * 1024;

/** Viewers that read nothing. */
const UNREAD_VIEWERS = 200;

/** What the job prints meanwhile: several times what a journal keeps. A nightly run has it print a gigabyte. */
const PRINTED_BYTES = Number(process.env.CMDOP_TEST_PRINTED ?? 300_000_000);

/** A gigabyte, read twice by this process, takes a loaded machine of two cores a minute. */
const LARGE_TIMEOUT_MS = 300_000;

/** What relay and agent may gain from each viewer: what an interactive stream's windows let through, at each of two hops. */
const VIEWER_BUDGET_BYTES = MiB / 2;

/** Garbage that has not been collected yet. */
const GARBAGE_BYTES = 100 * MiB;

/** Far more than a journal keeps (64 MiB), and what a slow line lets through in a second. */
const SLOW_LINES = 22_000_000;
const SLOW_BYTES_PER_S = 30_000_000;

let cluster: Cluster;
let apiKey: string;
let client: CMDOPClient;

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  ({ apiKey } = await cluster.createKey({ scopes: ["terminal"], machines: ["web-1"] }));
  client = CMDOPClient.remote({ apiKey });
});
afterAll(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

/** What a reader had, and what it was told that it missed. */
interface Had {
  readonly bytes: number;
  readonly droppedBytes: number;
  readonly outcome: string | undefined;
}

async function had(events: AsyncIterable<ExecEvent>): Promise<Had> {
  let bytes = 0;
  let droppedBytes = 0;
  let outcome: string | undefined;
  for await (const event of events) {
    if (event.type === "stdout") bytes += event.data.length;
    else if (event.type === "dropped") droppedBytes += Number(event.bytes);
    else if (event.type === "ended") outcome = event.outcome;
  }
  return { bytes, droppedBytes, outcome };
}

describe("promise 9: who reads nothing holds nobody up", () => {
  it(`promise 9: ${UNREAD_VIEWERS} viewers read nothing while a job prints ${PRINTED_BYTES} bytes: its starter has all of it, relay and agent stay within their budgets`, {
    timeout: LARGE_TIMEOUT_MS,
  }, async () => {
    const processes = [cluster.relay.pid, ...cluster.machines.map(({ process }) => process.pid)];
    const jobId = randomUUID();
    const before = await Promise.all(processes.map(residentBytes));
    const starting = client.terminal.stream(`read -r _; head -c ${PRINTED_BYTES} /dev/zero`, {
      jobId,
      stdinOpen: true,
    });
    const started = await starting.next();
    expect(started.value).toMatchObject({ type: "started" });
    await using caller = await RawCaller.connect(cluster.relayAddress);
    const token = await signCallToken(
      { relayId: cluster.relayId, machine: "web-1" },
      parseApiKey(apiKey).key,
      Date.now() / 1000,
    );
    const headers = { [HEADERS.authorization]: `Bearer ${token}`, [HEADERS.machine]: "web-1" };
    const message = codec(Jobs.method.attach.input).serialize({ jobId, after: 0n });
    const unread = Array.from({ length: UNREAD_VIEWERS }, () =>
      caller.open("/cmdop.v1.Jobs/Attach", headers, message),
    );
    await Promise.all(unread.map((stream) => Promise.race([once(stream, "response"), closed(stream)])));

    let mostBytes = before;
    const measure = async (): Promise<void> => {
      const now = await Promise.all(processes.map(residentBytes));
      mostBytes = mostBytes.map((most, index) => Math.max(most, now[index] ?? 0));
    };
    const watching = setInterval(measure, 100);
    const viewing = had(client.terminal.resumeStream(jobId));
    await client.terminal.sendStdin(jobId, "go\n", { eof: true });
    expect(await had(starting)).toEqual({ bytes: PRINTED_BYTES, droppedBytes: 0, outcome: "exited" });
    const viewed = await viewing;
    expect(viewed.bytes + viewed.droppedBytes).toBe(PRINTED_BYTES);
    clearInterval(watching);
    await measure();
    for (const [index, most] of mostBytes.entries()) {
      const gained = most - (before[index] ?? 0);
      expect(gained).toBeLessThan(UNREAD_VIEWERS * VIEWER_BUDGET_BYTES + GARBAGE_BYTES);
    }
    expect(unread.filter((stream) => stream.closed)).toEqual([]);
  });

  it("promise 3: cmdop exec over a slow line gives all of far more than a journal keeps: the pipe blocks", async () => {
    await using proxy = await startTcpProxy(cluster.relayAddress);
    proxy.maxBytesPerS = SLOW_BYTES_PER_S;
    const line = `seq 1 ${SLOW_LINES}; exit 11`;
    const [there, here] = await Promise.all([
      digest(process.execPath, [CMDOP_MAIN, "exec", "web-1", line], {
        CMDOP_API_KEY: apiKey,
        CMDOP_RELAY: proxy.address,
      }),
      digest("/bin/sh", ["-c", line], {}),
    ]);
    expect(there).toEqual(here);
    expect(there.exitCode).toBe(11);
  });
});

/** What a program writes, as a digest, and how it ends. */
async function digest(program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(program, args, { env: cmdopEnvironment(env), stdio: ["ignore", "pipe", "inherit"] });
  const hash = createHash("sha256");
  let bytes = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  await once(child, "close");
  return { exitCode: child.exitCode, bytes, sha256: hash.digest("hex") };
}
