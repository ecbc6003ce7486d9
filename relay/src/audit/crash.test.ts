import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { ChainLog, chainNext, generateKeyPair } from "@cmdop/proto";
import { describe, expect, it } from "vitest";
import { Relay } from "../index.ts";
import { ofType, relayRecords } from "../testing/relay-records.ts";
import { until } from "../testing/world.ts";

describe("promise 8: kill -9", () => {
  it("leaves a chain that verifies, at most one end for each begin, and begins without ends; the next start goes on with it", async () => {
    const child = spawn(process.execPath, [path.join(import.meta.dirname, "../testing/busy-world.ts")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = await once(createInterface(child.stdout), "line");
    const stateDir = String(line);
    try {
      await until(() => ofType(relayRecords(stateDir), "end").length > 500);
      child.kill("SIGKILL");
      await once(child, "exit");
      const killed = verified(stateDir);
      const begun = new Set(ofType(killed, "begin").map(({ call }) => call));
      const ended = ofType(killed, "end").map(({ call }) => call);
      expect(new Set(ended).size).toBe(ended.length);
      expect(ended.filter((call) => !begun.has(call))).toEqual([]);
      const open = ofType(killed, "begin").filter(({ call }) => !ended.includes(call));
      expect(open.map(({ method }) => method)).toContain("/cmdop.v1.Jobs/Attach");
      const relay = new Relay({ stateDir, ownerPublicKey: generateKeyPair().publicKey });
      await relay.listen();
      await relay.shutdown();
      const after = verified(stateDir);
      expect(after.slice(0, killed.length)).toEqual(killed);
      expect(after[killed.length]).toMatchObject({ type: "started" });
    } finally {
      child.kill("SIGKILL");
      rmSync(stateDir, { recursive: true });
    }
  });
});

/** Returns the relay's records after checking their hashes. */
function verified(stateDir: string) {
  const log = ChainLog.open({ directory: path.join(stateDir, "audit", "relay") });
  let count = 0;
  for (const { previousHash, records, hashes } of log.read(0)) {
    let last = previousHash;
    for (const [at, body] of records.entries()) {
      last = chainNext(last, body);
      expect(Buffer.compare(last, hashes[at] ?? Buffer.alloc(0))).toBe(0);
      count += 1;
    }
  }
  expect(log.head.seq).toBe(count);
  log.close();
  return relayRecords(stateDir);
}
