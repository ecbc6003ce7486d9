import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import http2 from "node:http2";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";
import { agentStateDir, codec, Files, generateKeyPair, localSocketPath, signJoinToken } from "@cmdop/proto";
import { expect, it } from "vitest";
import { Agent } from "./agent.ts";

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** An upload that has begun, and will never end by itself. */
function uploading(socketPath: string, file: string): http2.ClientHttp2Session {
  const session = http2.connect("http://peer", { createConnection: () => net.connect(socketPath) });
  session.on("error", () => undefined);
  const stream = session.request({
    ":method": "POST",
    ":path": "/cmdop.v1.Files/WriteStream",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  const body = codec(Files.method.writeStream.input).serialize({ header: { path: file } });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  stream.write(Buffer.concat([prefix, body]));
  return session;
}

it("promise 8: an agent that ends lets the next one have its state when its last record is written, not before", async () => {
  const home = await mkdtemp(path.join(os.tmpdir(), "cmdop-shutdown-"));
  const stateDir = agentStateDir(home);
  const owner = generateKeyPair();
  const nowS = Math.floor(Date.now() / 1000);
  const relay = { id: generateKeyPair().id, address: "127.0.0.1:1" };
  const claims = { jti: randomUUID(), owner: owner.publicKey, relay, name: "web-1", labels: {}, uses: 1 };
  const joinToken = await signJoinToken({ ...claims, iat: nowS, exp: nowS + 60 }, owner);
  const agent = new Agent({ home, joinToken, version: "0", log: SILENT });
  await agent.start();
  const session = uploading(
    localSocketPath(stateDir),
    path.join(home, "..", `${path.basename(home)}.upload`),
  );
  const chain = (): string => readFileSync(path.join(stateDir, "audit", "0000000000000001.chain"), "utf8");
  try {
    await expect.poll(chain).toContain('"begin"');
    let isOver = false;
    const ended = agent.shutdown().finally(() => {
      isOver = true;
    });
    let letGo: string | undefined;
    while (letGo === undefined && !isOver) {
      await setImmediate();
      letGo = chainOnceFree();
    }
    await ended;
    expect(letGo ?? chain()).toBe(chain());
    expect(chain()).toContain('"end"');
  } finally {
    session.destroy();
    await rm(home, { recursive: true });
  }

  /** The chain at the moment when another agent could begin; undefined before. */
  function chainOnceFree(): string | undefined {
    const store = new DatabaseSync(path.join(stateDir, "jobs", "jobs.db"), { timeout: 0 });
    try {
      store.exec("SELECT count(*) FROM jobs");
      return chain();
    } catch (thrown) {
      if (thrown instanceof Error && "errstr" in thrown) return undefined;
      throw thrown;
    } finally {
      store.close();
    }
  }
}, 20_000);
