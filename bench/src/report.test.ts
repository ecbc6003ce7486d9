import { describe, expect, it } from "vitest";
import { toJson, toTable } from "./report.ts";
import type { Row } from "./suite.ts";

const rows: Row[] = [
  { name: "exec, p50", unit: "ms", ours: 3.5, theirs: 14, aim: { atMost: 0.35 } },
  { name: "exec, 64 in flight", unit: "calls/s", ours: 400, theirs: 200, aim: { atLeast: 3 } },
  { name: "no peer", unit: "ms", ours: 12.34, theirs: "sshd not installed", aim: { atMost: 1 } },
];

describe("the report", () => {
  it("is a table for people", () => {
    expect(toTable(rows)).toBe(
      [
        "                           ours              theirs  ratio       aim",
        "exec, p50               3.50 ms             14.0 ms   0.25  ≤ 0.35 ✓",
        "exec, 64 in flight  400 calls/s         200 calls/s   2.00     ≥ 3 ✗",
        "no peer                 12.3 ms  sshd not installed      –       ≤ 1",
      ].join("\n"),
    );
  });

  it("is JSON for programs", () => {
    expect(toJson(rows)).toMatchObject([
      { name: "exec, p50", ours: 3.5, theirs: 14, ratio: 0.25, aim: "≤ 0.35", met: true },
      { ratio: 2, met: false },
      { theirs: "sshd not installed", ratio: null, met: null },
    ]);
  });
});
