import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  agentStateDir,
  codec,
  Files,
  HEADERS,
  LANE_WINDOWS,
  localSocketPath,
  parseApiKey,
  signCallToken,
} from "@cmdop/proto";
import { CMDOPClient } from "@cmdop/sdk";
import { beforeAll, describe, expect, it } from "vitest";
import { type Door, useDoors } from "./support/doors.ts";
import { residentBytes } from "./support/memory.ts";
import { closed, RawCaller } from "./support/raw-call.ts";
import { waitUntil } from "./support/wait.ts";

const MiB = 1024 * 1024;
const WRITE_STREAM = "/cmdop.v1.Files/WriteStream";
/** As many as a person can be asked about by one key, four times each. */
const QUESTIONS = 8;
const UPLOADS = 4 * QUESTIONS;
/** What one stream can bring while nobody reads it. */
const WINDOW_BYTES = LANE_WINDOWS.upload.toMachine.stream;
/** So late is everything read that a line of the greatest window is supposed. */
const LATE_MS = 110;

/** The agent's named bound for one key; the relay, whose line to the agent is short, has one of 128 MiB and reaches it first. */
const BOUND_BYTES = 224 * MiB;
/** What the agent may gain: its bound, what comes between two looks, and what is not collected yet. Unbounded it gains 700 MiB and more. */
const GAIN_BYTES = BOUND_BYTES + 300 * MiB;

/** Between two windows, in milliseconds: then what the agent had no time to collect stays little, however fast the socket. */
const PAUSE_MS = 50;

const doors = useDoors();

let idleBytes = 0;
beforeAll(async () => {
  idleBytes = await residentBytes(doors.machine().process.pid);
});

/** Uploads wait for a person from now on. */
async function askForUploads(): Promise<void> {
  const file = path.join(agentStateDir(doors.machine().home), "policy.json");
  await writeFile(file, JSON.stringify({ ask: [WRITE_STREAM] }), { mode: 0o600 });
  await waitUntil(
    async () =>
      (await doors.client("local").explain({ method: WRITE_STREAM, paths: ["/x"] })).decision === "ask",
  );
}

/** A caller of this door that takes no care, and the headers of its calls. */
async function abuser(door: Door) {
  const { home } = doors.machine();
  if (door === "local")
    return { caller: await RawCaller.local(localSocketPath(agentStateDir(home)), LATE_MS), headers: {} };
  const { relayAddress, relayId } = doors.cluster();
  const { apiKey } = await doors.cluster().createKey({ scopes: ["files:write"], machines: ["*"] });
  const token = await signCallToken(
    { relayId, machine: "web-1" },
    parseApiKey(apiKey).key,
    Date.now() / 1000,
  );
  const headers = { [HEADERS.authorization]: `Bearer ${token}`, [HEADERS.machine]: "web-1" };
  return { caller: await RawCaller.connect(relayAddress, LATE_MS), headers };
}

/** A message as it is on the wire. */
function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Begins an upload and sends as much as its window takes; what it is told, by and by. */
async function sendWindow(stream: ClientHttp2Stream, file: string): Promise<IncomingHttpHeaders> {
  const { serialize } = codec(Files.method.writeStream.input);
  const told: IncomingHttpHeaders = {};
  const note = (headers: IncomingHttpHeaders): void => void Object.assign(told, headers);
  stream
    .on("response", note)
    .on("trailers", note)
    .on("error", () => undefined)
    .resume();
  stream.write(framed(serialize({ header: { path: file }, data: Buffer.alloc(1) })));
  const piece = framed(serialize({ data: Buffer.alloc(MiB) }));
  const pieces = Math.floor((WINDOW_BYTES - MiB) / piece.length);
  const over = closed(stream);
  // Piece by piece: Node refuses the answer to a stream that has more than 10 MB to send.
  for (let left = pieces; left > 0 && !stream.closed; left -= 1) {
    const sent = Promise.withResolvers<void>();
    stream.write(piece, () => sent.resolve());
    await Promise.race([sent.promise, over]);
  }
  return told;
}

/** The most that the agent has had since the last call for it. */
function peakBytes(): number {
  const { pid } = doors.machine().process;
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  return Number(kib) * 1024;
}

describe("promise 9: uploads that nobody reads yet can't make the agent hold more than the named budget", () => {
  it.each<Door>(["relay", "local"])("by the %s door; other keys go on", async (door) => {
    await askForUploads();
    const { apiKey } = await doors.cluster().createKey({ scopes: ["approve"], machines: ["*"] });
    await using person = CMDOPClient.remote({ apiKey });
    await using victim = await doors.cluster().client();
    const { directory } = doors.cluster();
    const content = randomBytes(12 * MiB);
    const [from, to] = [path.join(directory, `${door}-from`), path.join(directory, `${door}-to`)];
    await writeFile(from, content);
    peakBytes();

    const { caller, headers } = await abuser(door);
    const uploads: { stream: ClientHttp2Stream; told: IncomingHttpHeaders }[] = [];
    // One after the other, so that the relay has little of it itself.
    for (let count = 0; count < UPLOADS; count += 1) {
      const stream = caller.session.request({
        ":method": "POST",
        ":path": WRITE_STREAM,
        "content-type": "application/grpc",
        te: "trailers",
        ...headers,
      });
      uploads.push({
        stream,
        told: await sendWindow(stream, path.join(directory, `${door}-${count % QUESTIONS}`)),
      });
      await sleep(PAUSE_MS);
    }
    const open = () => uploads.filter(({ stream }) => !stream.closed);
    await waitUntil(() => open().length * (WINDOW_BYTES - 2 * MiB) <= BOUND_BYTES);
    const ended = uploads.filter(({ stream }) => stream.closed);
    for (const { told, stream } of ended) {
      // The relay has a bound of its own for what it could not pass on yet, and ends a call by a reset.
      if (door === "relay" && stream.rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM) continue;
      expect(told).toMatchObject({ [HEADERS.error]: "LimitExceeded", "grpc-status": "8" });
      expect(told["grpc-message"]).toContain(encodeURI("more than 224 MiB"));
    }
    // The others are as they were, and fill what they may.
    const fills = door === "relay" ? BOUND_BYTES / 2 : BOUND_BYTES - 2 * WINDOW_BYTES;
    expect((open().length + 1) * WINDOW_BYTES).toBeGreaterThan(fills);

    const uploading = victim.files.upload(from, to);
    expect((await victim.terminal.execute("echo 1")).stdout).toBe("1\n");
    const asked = async () => (await person.approvals.list()).find(({ what }) => what.includes(to));
    await waitUntil(async () => (await asked()) !== undefined);
    const approval = await asked();
    if (approval === undefined) throw new Error("it waits no longer");
    await person.approvals.approve(approval);
    await uploading;
    expect((await readFile(to)).equals(content)).toBe(true);
    expect(peakBytes() - idleBytes).toBeLessThan(GAIN_BYTES);

    caller.session.destroy();
    await waitUntil(async () => (await person.approvals.list()).length === 0);
  });
});
