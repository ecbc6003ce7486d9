import { expect, test } from "vitest";
import { MAX_LISTED_MACHINES } from "../limits.ts";
import { scriptedClient } from "../testing/scripted-client.ts";
import { toolContext } from "../testing/tool-context.ts";
import { MACHINE_TOOLS } from "./machines.ts";

test("what is beyond the bound is counted", async () => {
  const machines = Array.from({ length: MAX_LISTED_MACHINES + 5 }, (_, index) => ({
    id: `id-${index}`,
    name: `m-${index}`,
    labels: {},
    online: true,
    // No date: a relay may send any number.
    lastSeenMs: Number.POSITIVE_INFINITY,
    agentVersion: "",
    quarantinedSinceMs: null,
  }));
  const client = { ...scriptedClient(), machines: { list: async () => machines } };
  const [list] = MACHINE_TOOLS;
  const answer = await list?.call({}, toolContext(client));
  expect(answer?.structured).toMatchObject({ omitted: 5, machines: { length: MAX_LISTED_MACHINES } });
  expect(answer?.text.at(-1)).toBe("[5 more machines are not listed; they can be used by name]");
});
