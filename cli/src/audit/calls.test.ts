import type { AnyAuditRecord } from "@cmdop/proto";
import { beforeEach, describe, expect, it } from "vitest";
import { auditLayout } from "./call-row.ts";
import { AuditCalls } from "./calls.ts";

const AT = Date.UTC(2030, 0, 2, 3, 4, 5);
const CALL = "3f2a0000-0000-4000-8000-000000000001";
const JOB = "77770000-0000-4000-8000-000000000001";
const EXEC = "/cmdop.v1.Exec/Start";

const { line } = auditLayout({});

let lines: string[];
let calls: AuditCalls;
let seq: number;

beforeEach(() => {
  lines = [];
  seq = 0;
  calls = new AuditCalls(
    (row) => lines.push(line(row)),
    (id) => `name-of-${id}`,
  );
});

/** Adds a record of the relay's chain, or of machine `m1`'s. */
function add(maker: "relay" | "m1", record: AnyAuditRecord | null): void {
  seq += 1;
  const machineId = maker === "relay" ? null : maker;
  calls.add({ chain: `chain-of-${maker}`, machineId, seq, record, raw: '{"type":"new\x1b"}' });
}

const relayBegin = (call = CALL): AnyAuditRecord => ({
  type: "begin",
  at: AT,
  call,
  key: "k1",
  keyName: "ci",
  address: "192.0.2.1",
  machine: "m1",
  machineName: "web-1",
  method: EXEC,
});
const relayEnd = (call = CALL): AnyAuditRecord => ({
  type: "end",
  at: AT + 20,
  call,
  code: "Ok",
  ms: 20,
  bytesIn: 1,
  bytesOut: 1,
});
const machineBegin = (call = CALL): AnyAuditRecord => ({
  type: "begin",
  at: AT + 1,
  call,
  door: "relay",
  key: "k1",
  keyName: "ci",
  method: EXEC,
  what: "shell 'make'",
  job: JOB,
});
const machineEnd = (call = CALL, code: "Ok" | "NoSpace" = "Ok"): AnyAuditRecord => ({
  type: "end",
  at: AT + 19,
  call,
  code,
  ms: 18,
});

describe("the lines of the audit", () => {
  it("one call is one line, from both chains together: when, who, where, which method, how it ended, what", () => {
    add("relay", relayBegin());
    add("m1", machineBegin());
    add("m1", machineEnd());
    add("relay", relayEnd());
    calls.flush();
    expect(lines).toEqual([
      "2030-01-02T03:04:05Z  ci              web-1         Exec/Start        Ok, 20 ms             shell 'make'\n",
    ]);
  });

  it("the machine's word counts where it tells an error", () => {
    add("m1", machineBegin());
    add("m1", machineEnd(CALL, "NoSpace"));
    calls.flush();
    expect(lines.join("")).toMatch(/ci +name-of-m1 +Exec\/Start +NoSpace, 18 ms +shell 'make'\n$/);
  });

  it("a begin without an end is running, and its end is told when it comes", () => {
    add("relay", relayBegin());
    add("m1", machineBegin());
    calls.flush();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/running +shell 'make'\n$/);
    add("m1", machineEnd());
    add("relay", relayEnd());
    calls.flush();
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(/Ok, 20 ms +shell 'make'; begun 2030-01-02T03:04:05Z\n$/);
  });

  it("a begin whose maker has started anew is unknown, never Ok", () => {
    add("m1", machineBegin());
    add("m1", { type: "started", at: AT + 5, version: "1" });
    calls.flush();
    expect(lines.join("")).toMatch(/unknown +shell 'make'\n/);
    expect(lines.join("")).not.toMatch(/Ok|running/);
  });

  it("another machine's start changes nothing", () => {
    add("m1", machineBegin());
    add("relay", { type: "started", at: AT + 5, version: "1" });
    calls.flush();
    expect(lines.join("")).toMatch(/running +shell 'make'/);
  });

  it("an end whose begin is out of sight is a line of its own", () => {
    add("relay", relayEnd());
    expect(lines.join("")).toContain(`call ${CALL}`);
  });

  it("the machine's word may come late, since clocks differ", () => {
    add("relay", relayBegin());
    add("relay", relayEnd());
    calls.flush();
    add("m1", machineBegin());
    add("m1", machineEnd());
    calls.flush();
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain("shell 'make'");
  });

  it("shows refusals, ends of jobs, approvals and policies, and shows nothing that could mislead", () => {
    const refused = { type: "refused", at: AT, call: CALL, key: null, keyName: "", method: EXEC } as const;
    add("relay", { ...refused, code: "KeyUnknown", count: 3, address: "192.0.2.9", machine: "web\x1b" });
    add("m1", machineBegin());
    add("m1", { type: "job", at: AT, job: JOB, key: "k1", outcome: "exited", exitCode: 3, ms: 1500 });
    const approval = { type: "approval", at: AT, approval: JOB, call: CALL } as const;
    add("m1", { ...approval, state: "refused", by: "k2", byName: "boss", reason: "no" });
    add("m1", { type: "policy", at: AT, hash: null, error: "broken" });
    add("m1", null);
    expect(lines[0]).toMatch(
      /\? +web\\u\{1b\} +Exec\/Start +REFUSED KeyUnknown +3 times alike; from 192.0.2.9\n$/,
    );
    expect(lines[1]).toMatch(/job ended +exited 3, 1.5 s +job 7777.*; shell 'make'\n$/);
    expect(lines[2]).toMatch(/boss +name-of-m1 +approval +refused +approval 7777.*; no; shell 'make'\n$/);
    expect(lines[3]).toMatch(/policy +REFUSED +broken\n$/);
    expect(lines[4]).toContain('{"type":"new\\u{1b}"}');
  });

  it("promise 9: holds a bounded number of calls, in the order in which they began", () => {
    const id = (index: number): string => `3f2a0000-0000-4000-8000-${String(index).padStart(12, "0")}`;
    for (let index = 0; index < 1_000; index++) add("m1", machineBegin(id(index)));
    expect(lines.length).toBe(1_000 - 256);
    expect(lines[0]).toMatch(/begun +shell 'make'\n$/);
  });
});

describe("the audit on a terminal", () => {
  it.each([80, 100, 200])("of %i columns has a heading and lines that fit", (width) => {
    const { head, line: fitted } = auditLayout({ width });
    const row = [
      "2030-01-02T03:04:05Z",
      "a-long-name-of-a-key",
      "web-1",
      "Files/Read",
      "Ok",
      "x".repeat(300),
    ] as const;
    expect(head).toMatch(/^TIME +KEY +MACHINE +METHOD +END +WHAT\n$/);
    expect(fitted(row).trimEnd()).toHaveLength(width);
    expect(fitted(row)).toMatch(/^2030-01-02T03:04:05Z {2}a-lo.*Files\/Read +Ok +x+…\n$/);
  });
});
