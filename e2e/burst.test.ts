import type { CMDOPClient } from "@cmdop/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cluster, type ClusterMachine } from "./support/cluster.ts";

/** Commands of one key at once: less than it may run, more than is started in a blink. */
const BURST = 300;

/** Far more than one key may run. */
const FLOOD = 1_000;

/** A busy machine needs a second for a hundred. */
const TEST_TIMEOUT_MS = 120_000;

let cluster: Cluster;
let machine: ClusterMachine;
let busy: CMDOPClient;
let other: CMDOPClient;

beforeAll(async () => {
  cluster = await Cluster.start();
  machine = await cluster.addMachine("web-1");
  busy = await cluster.client();
  other = await cluster.client();
  for (const client of [busy, other]) await client.terminal.execute("true");
});
afterAll(async () => {
  await Promise.all([busy.close(), other.close()]);
  await cluster[Symbol.asyncDispose]();
});

describe("a burst of one key", () => {
  it(
    "leaves another key's command at its usual time plus a few starts",
    async () => {
      let ended = 0;
      const burst = Array.from({ length: BURST }, () =>
        busy.terminal.execute("true").finally(() => {
          ended += 1;
        }),
      );
      // Once the burst has come to the machine.
      await Promise.race(burst);
      const before = ended;
      await other.terminal.execute("true");
      const meanwhile = ended - before;
      const outcomes = (await Promise.all(burst)).map(({ outcome }) => outcome);
      expect(outcomes).toEqual(burst.map(() => "exited"));
      expect(meanwhile).toBeLessThan(BURST / 5);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    "of a thousand commands costs no link, and each is answered for what it is",
    async () => {
      const outcomes = await Promise.all(
        Array.from({ length: FLOOD }, () =>
          busy.terminal.execute("true").then(
            ({ outcome }) => outcome,
            (error: Error) => error.name,
          ),
        ),
      );
      const counts = Map.groupBy(outcomes, (outcome) => outcome);
      expect([...counts.keys()].filter((outcome) => !["exited", "LimitExceeded"].includes(outcome))).toEqual(
        [],
      );
      expect(counts.get("exited")?.length).toBeGreaterThan(BURST);
      expect(machine.process.stderr).not.toMatch(/link (?:was )?down/);
    },
    TEST_TIMEOUT_MS,
  );
});
