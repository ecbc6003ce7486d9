import { expect, it } from "vitest";
import { trustTimeUs } from "./trust-cost.ts";

const node = (id: number, url: string, children: number[] = []) => ({ id, callFrame: { url }, children });

it("counts the time of samples that are in the source of trust, or below it", () => {
  const profile = {
    nodes: [
      node(1, "", [2, 4]),
      node(2, "file:///x/relay/src/audit/audit.ts", [3]),
      node(3, "node:fs"),
      node(4, "file:///x/agent/src/jobs/jobs.ts", [5]),
      node(5, "node:fs"),
    ],
    samples: [1, 2, 3, 4, 5, 3],
    timeDeltas: [1, 10, 100, 1_000, 10_000, 100],
  };
  expect(trustTimeUs(JSON.stringify(profile))).toBe(210);
});
