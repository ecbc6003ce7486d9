import { once } from "node:events";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AGENT_ALPN, CALLER_ALPN, connectToRelay, generateKeyPair } from "@cmdop/proto";
import { expect, it } from "vitest";
import { createCa, createLeaf } from "./identity/certificates.ts";
import { Relay } from "./index.ts";
import { refusal, World } from "./testing/world.ts";

const owner = generateKeyPair().publicKey;

async function temporary(use: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "cmdop-relay-"));
  try {
    await use(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}

it("is the same relay after a restart, and keeps its secrets to itself", () =>
  temporary(async (dir) => {
    const stateDir = join(dir, "state");
    const first = new Relay({ stateDir, ownerPublicKey: owner });
    await first.listen();
    const { id, address } = first;
    const tls = await connectToRelay({ relay: { id, address }, alpn: CALLER_ALPN });
    tls.destroy();
    await first.shutdown();
    expect(await refusal(connectToRelay({ relay: { id, address }, alpn: AGENT_ALPN }))).toBe(
      "RelayUnreachable",
    );
    const second = new Relay({ stateDir, ownerPublicKey: owner });
    await second.listen();
    expect(second.id).toBe(id);
    expect((await stat(stateDir)).mode & 0o777).toBe(0o700);
    for (const file of await readdir(stateDir)) {
      expect([file, (await stat(join(stateDir, file))).mode & 0o077]).toEqual([file, 0]);
    }
    await second.shutdown();
  }));

it("keeps machines, grants and the roster over a restart", async () => {
  await using world = await World.start();
  const machineKey = generateKeyPair();
  const agent = await world.agent("web-1", { machineKey });
  const caller = world.caller(await world.key());
  agent.close();
  await world.relay.shutdown();
  await world.relay.listen();
  const again = world.caller(caller.key);
  await world.agent("web-1", { machineKey, joinToken: "" });
  await again.files.info({ path: "/" }, { headers: await again.headers("web-1") });
});

it("has no id before it listens, and refuses what it can't start with", () =>
  temporary(async (dir) => {
    const relay = new Relay({ stateDir: dir, ownerPublicKey: owner });
    expect(() => relay.id).toThrow("before listen()");
    expect(() => new Relay({ stateDir: dir, ownerPublicKey: "nonsense" })).toThrow("owner's public key");
    expect(() => new Relay({ stateDir: dir, ownerPublicKey: owner, certFile: "x" })).toThrow("needs its key");
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    expect(await refusal(new Relay({ stateDir: dir, ownerPublicKey: owner, port }).listen())).toBe(
      "InvalidArgument",
    );
    taken.close();
    // The failed start left nothing open, so this one gets the store, and there is no second one beside it.
    await relay.listen();
    expect(await refusal(new Relay({ stateDir: dir, ownerPublicKey: owner }).listen())).toBe("AlreadyExists");
    await relay.shutdown();
  }));

it("uses certificate files where they are given; its id is then its host name", () =>
  temporary(async (dir) => {
    const [from, to] = [new Date(Date.now() - 60_000), new Date(Date.now() + 60_000)];
    const ca = createCa("test CA", from, to);
    const { certificate, privateKey } = createLeaf(ca, "relay", ["localhost", "relay.example.com"], from, to);
    const [certFile, keyFile] = [join(dir, "cert.pem"), join(dir, "key.pem")];
    await writeFile(certFile, certificate.toString());
    await writeFile(keyFile, privateKey.export({ format: "pem", type: "pkcs8" }));
    const relay = new Relay({ stateDir: join(dir, "state"), ownerPublicKey: owner, certFile, keyFile });
    await relay.listen();
    expect(relay.id).toBe("relay.example.com");
    await relay.shutdown();
  }));

it("says how it is on /healthz, and nothing elsewhere", async () => {
  await using world = await World.start();
  await world.agent("web-1");
  expect(await world.health()).toMatchObject({
    status: "ok",
    links: { interactive: 1, download: 0, upload: 0 },
    machines: 1,
    calls: 0,
  });
  const other = await fetch(`http://127.0.0.1:${world.relay.healthPort}/`);
  expect(other.status).toBe(404);
  await other.text();
});

it("lets running calls finish when it shuts down, and tells those that do not", async () => {
  await using world = await World.start({ times: { shutdownDrainMs: 500 } });
  await world.agent("web-1");
  const caller = world.caller(await world.key());
  const headers = await caller.headers("web-1");
  const finish = Promise.withResolvers<void>();
  const short = caller.jobs
    .input(
      (async function* () {
        yield { data: Buffer.alloc(1) };
        await finish.promise;
        yield { data: Buffer.alloc(1) };
      })(),
      { headers },
    )
    [Symbol.asyncIterator]();
  await short.next();
  const long = caller.jobs.attach({ jobId: "j" }, { headers })[Symbol.asyncIterator]();
  await long.next();
  const down = world.relay.shutdown();
  finish.resolve();
  expect((await short.next()).value).toMatchObject({ accepted: 2n });
  expect((await short.next()).done).toBe(true);
  expect(await refusal(long.next())).toBe("LinkLost");
  await down;
});
