import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { ChainLog } from "@cmdop/proto";
import fc from "fast-check";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Directory } from "../data/directory.ts";
import { Cursor, merged } from "./merge.ts";
import { RecordFilter } from "./record-filter.ts";
import { Turns } from "./turns.ts";
import { View } from "./view.ts";

const directory: Directory = {
  relayId: "relay",
  nowS: () => 0,
  steadyS: () => 0,
  rosterSeq: () => 0,
  isRevoked: () => false,
  ownerKey: () => undefined,
  grantOf: async () => undefined,
  used: () => undefined,
  machinesCalled: () => [],
  machines: () => [],
  quarantinedSinceMs: () => undefined,
};
let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), "cmdop-merge-"));
});

afterEach(() => rmSync(root, { recursive: true }));

const everything = { machineId: undefined, keyId: undefined, sinceMs: 0, untilMs: Number.POSITIVE_INFINITY };

it("whatever the clocks said: each chain's records in its own order, all of them, and no record before an older one that could come", async () => {
  const chains = fc.array(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 30 }), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(chains, async (clocks) => {
      const home = mkdtempSync(path.join(root, "run-"));
      const view = new View(directory, { keyId: "owner", grant: undefined });
      const logs = clocks.map((times, at) => {
        const log = ChainLog.open({
          directory: path.join(home, String(at)),
          limits: { reserveBytes: 0, fileBytes: 400 },
        });
        for (const time of times) log.append(JSON.stringify({ type: "started", at: time, version: "1" }));
        return log;
      });
      const cursors = logs.map((log, at) => {
        const filter = new RecordFilter(() => view, everything, undefined);
        return new Cursor({ chain: String(at), machineId: undefined, log: () => log, filter });
      });
      const order: { chain: number; seq: number }[] = [];
      for await (const { source, seq } of merged(cursors, async () => undefined, new Turns())) {
        order.push({ chain: Number(source.chain), seq });
      }
      for (const [chain, times] of clocks.entries()) {
        expect(order.filter((one) => one.chain === chain).map(({ seq }) => seq)).toEqual(
          times.map((_, at) => at + 1),
        );
      }
      const shown = order.map(({ chain, seq }) => Math.max(...(clocks[chain] ?? []).slice(0, seq)));
      expect(shown).toEqual(shown.toSorted((a, b) => a - b));
      for (const log of logs) log.close();
    }),
    { numRuns: 40 },
  );
});
