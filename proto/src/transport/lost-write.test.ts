import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type TLSSocket } from "node:tls";
import { expect, it } from "vitest";
import { z } from "zod";
import { watchdog } from "./watchdog.ts";

/** About every second one of these loses its write: that none does is as likely as to toss 16 heads. */
const ATTEMPTS = 16;

/** Far more than a peer takes at once. */
const PIECE = Buffer.alloc(512 * 1024);

/** A peer in a process of its own that takes all that it is sent, until it is killed. */
async function peer(): Promise<{ tls: TLSSocket; kill: () => void }> {
  const script = new URL("../testing/http2-peer.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, "sink"], { stdio: ["pipe", "pipe", "ignore"] });
  const [line] = await once(child.stdout, "data");
  const port = z.coerce.number().parse(String(line).trim());
  const tls = connect({ port, host: "127.0.0.1", ALPNProtocols: ["h2"], rejectUnauthorized: false });
  tls.on("error", () => undefined);
  await once(tls, "secureConnect");
  return { tls, kill: () => child.kill("SIGKILL") };
}

it("promise: a peer that is killed while it is sent much is noticed at once, whether or not Node says so (HTTP/2 defect B)", {
  timeout: 120_000,
}, async () => {
  let lost = 0;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { tls, kill } = await peer();
    const session = connectHttp2("http://peer", { createConnection: () => tls });
    session.on("error", () => undefined);
    const stream = session.request({ ":method": "POST", ":path": "/" }, { endStream: false });
    stream.on("error", () => undefined);
    const pump = (): void => {
      if (stream.destroyed) return;
      if (stream.write(PIECE)) setImmediate(pump);
      else stream.once("drain", pump);
    };
    pump();
    for (let sent = 0; sent < 64; sent++) await once(stream, "drain");
    const over = Promise.withResolvers<void>();
    // Silence alone would take far longer than this test may.
    const watching = watchdog({ session, socket: tls, deadAfterMs: 3_600_000, onDead: over.resolve });
    let saidSo = false;
    tls.once("close", () => {
      saidSo = true;
      over.resolve();
    });
    kill();
    await over.promise;
    if (!saidSo) lost += 1;
    watching.stop();
    session.destroy();
    tls.destroy();
  }
  // Were this 0, Node would have mended it, and lost-write.ts could go.
  expect(lost).toBeGreaterThan(0);
});
