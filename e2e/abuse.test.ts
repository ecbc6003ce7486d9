import { spawn } from "node:child_process";
import { once } from "node:events";
import http2 from "node:http2";
import path from "node:path";
import { codec, Files, HEADERS, type KeyPair, parseApiKey, signCallToken } from "@cmdop/proto";
import type { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "./support/cluster.ts";
import { residentBytes } from "./support/memory.ts";
import { closed, RawCaller } from "./support/raw-call.ts";
import { START, startMessage } from "./support/start-message.ts";

/** More cancels than Node's own guard allows before it ends a whole session. */
const CANCELS = 3_000;
/** Streams of the caller that dies. */
const DYING_STREAMS = 1_500;
/** Streams of the caller that reads nothing. */
const UNREAD_STREAMS = 200;
/** What relay and agent may gain from it: a stream's window at each hop, and garbage not yet collected. */
const UNREAD_MEMORY_BUDGET_BYTES = UNREAD_STREAMS * 1024 * 1024 + 100 * 1024 * 1024;
/** What the agent may gain from as many answers of 4 MiB that nobody reads: 16 at once, three copies of each, and garbage not yet collected. */
const UNREAD_ANSWERS_BUDGET_BYTES = 3 * 16 * 4 * 1024 * 1024 + 100 * 1024 * 1024;

let cluster: Cluster;
let victim: CMDOPClient;
let abuser: KeyPair;

beforeAll(async () => {
  cluster = await Cluster.start();
  await cluster.addMachine("web-1");
  victim = await cluster.client();
  ({ key: abuser } = parseApiKey(
    (await cluster.createKey({ scopes: ["terminal"], machines: ["*"] })).apiKey,
  ));
});
afterAll(async () => {
  await victim.close();
  await cluster[Symbol.asyncDispose]();
});

const token = () => signCallToken({ relayId: cluster.relayId, machine: "web-1" }, abuser, Date.now() / 1000);
const headers = async () => ({
  [HEADERS.authorization]: `Bearer ${await token()}`,
  [HEADERS.machine]: "web-1",
});

/** A command of another caller that must come through the abuse whole. */
function unharmed() {
  const command = "for i in $(seq 1 30); do echo $i; sleep 0.05; done; exit 7";
  return victim.terminal.execute(command, { reconnectWindowMs: 0 });
}
const WHOLE = {
  exitCode: 7,
  truncated: false,
  stdout: Array.from({ length: 30 }, (_, index) => `${index + 1}\n`).join(""),
};

describe("promise 9: one caller can't harm another on the same machine", () => {
  it(`${CANCELS} cancelled calls`, { timeout: 60_000 }, async () => {
    const bystander = unharmed();
    const message = startMessage(crypto.randomUUID(), "sleep 62.2");
    const callHeaders = await headers();
    let caller = await RawCaller.connect(cluster.relayAddress);
    for (let done = 0; done < CANCELS; done += 100) {
      const batch = Array.from({ length: 100 }, () => caller.open(START, callHeaders, message));
      await Promise.all(
        batch.map(async (stream) => {
          stream.on("error", () => undefined);
          await Promise.race([once(stream, "response"), closed(stream)]);
          stream.close(http2.constants.NGHTTP2_CANCEL);
          await closed(stream);
        }),
      );
      // The front door may end the abuser's own connection: that is its right, and all that may happen.
      if (caller.session.closed || caller.session.destroyed)
        caller = await RawCaller.connect(cluster.relayAddress);
    }
    await caller[Symbol.asyncDispose]();
    expect(await bystander).toMatchObject(WHOLE);
  });

  it(`a caller that dies with ${DYING_STREAMS} open streams`, { timeout: 60_000 }, async () => {
    const bystander = unharmed();
    const script = path.join(import.meta.dirname, "support/dying-caller.ts");
    const args = [cluster.relayAddress, "web-1", await token(), crypto.randomUUID(), String(DYING_STREAMS)];
    const dying = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    await once(dying.stdout, "data");
    dying.kill("SIGKILL");
    await once(dying, "exit");
    expect(await bystander).toMatchObject(WHOLE);
    expect(await unharmed()).toMatchObject(WHOLE);
  });

  it(`a caller that opens ${UNREAD_STREAMS} streams and reads none of them`, {
    timeout: 60_000,
  }, async () => {
    const machine = cluster.machines[0];
    if (machine === undefined) throw new TypeError("no machine");
    const processes = [cluster.relay.pid, machine.process.pid];
    const before = await Promise.all(processes.map(residentBytes));
    const bystander = unharmed();
    const message = startMessage(crypto.randomUUID(), "head -c 8000000 /dev/zero; sleep 62.3");
    await using caller = await RawCaller.connect(cluster.relayAddress);
    const callHeaders = await headers();
    const streams = Array.from({ length: UNREAD_STREAMS }, () => caller.open(START, callHeaders, message));
    for (const stream of streams) stream.on("error", () => undefined);
    await Promise.all(streams.map((stream) => Promise.race([once(stream, "response"), closed(stream)])));
    expect(await bystander).toMatchObject(WHOLE);
    expect(await unharmed()).toMatchObject(WHOLE);
    const after = await Promise.all(processes.map(residentBytes));
    for (const [index, bytes] of after.entries()) {
      expect(bytes - (before[index] ?? 0)).toBeLessThan(UNREAD_MEMORY_BUDGET_BYTES);
    }
  });

  it("a caller that asks for many large answers and reads none of them", { timeout: 60_000 }, async () => {
    const machine = cluster.machines[0];
    if (machine === undefined) throw new TypeError("no machine");
    const file = path.join(cluster.directory, "large");
    await victim.files.write(file, Buffer.alloc(4 * 1024 * 1024));
    const { key: reader } = parseApiKey(
      (await cluster.createKey({ scopes: ["files:read"], machines: ["*"] })).apiKey,
    );
    const audience = { relayId: cluster.relayId, machine: "web-1" };
    const token = await signCallToken(audience, reader, Date.now() / 1000);
    const callHeaders = { [HEADERS.authorization]: `Bearer ${token}`, [HEADERS.machine]: "web-1" };
    const before = await residentBytes(machine.process.pid);
    await using caller = await RawCaller.connect(cluster.relayAddress);
    const message = codec(Files.method.read.input).serialize({ path: file });
    const streams = Array.from({ length: UNREAD_STREAMS }, () =>
      caller.open("/cmdop.v1.Files/Read", callHeaders, message),
    );
    for (const stream of streams) stream.on("error", () => undefined);
    await Promise.race(streams.map((stream) => once(stream, "response")));
    expect(await unharmed()).toMatchObject(WHOLE);
    expect((await residentBytes(machine.process.pid)) - before).toBeLessThan(UNREAD_ANSWERS_BUDGET_BYTES);
  });

  it("defect C: 8,000 unary calls at 500 in flight, every status right", { timeout: 120_000 }, async () => {
    let next = 0;
    const wrong: string[] = [];
    const worker = async (): Promise<void> => {
      while (next < 8_000) {
        const index = next++;
        const found = await victim.files.info(index % 2 === 0 ? "/" : "/no/such/path").then(
          ({ type }) => type,
          (error: { code: string }) => error.code,
        );
        if (found !== (index % 2 === 0 ? "directory" : "NotFound")) wrong.push(`${index}: ${found}`);
      }
    };
    await Promise.all(Array.from({ length: 500 }, worker));
    expect(wrong).toEqual([]);
  });
});
