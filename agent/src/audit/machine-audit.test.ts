import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  type AnyAuditRecord,
  type Arrival,
  ChainLog,
  CmdopError,
  codec,
  Exec,
  Files,
  generateKeyPair,
  HEADERS,
  MAX_AUDIT_RECORD_BYTES,
  RecordWriter,
  readAuditRecord,
  type Scope,
  verifyHead,
} from "@cmdop/proto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Caller } from "../policy/caller.ts";
import { auditFeed } from "./audit-feed.ts";
import { MachineAudit, type MachineAuditOptions } from "./machine-audit.ts";

const START = "/cmdop.v1.Exec/Start";
const machineKey = generateKeyPair();
let directory: string;
let troubles: string[];
let audit: MachineAudit;

function opened(options: Partial<MachineAuditOptions> = {}): MachineAudit {
  return new MachineAudit({
    directory: path.join(directory, "audit"),
    machineKey,
    version: "1.2.3",
    redact: () => (text) => text.replaceAll(/hush\w*/g, "[redacted]"),
    onTrouble: (error) => troubles.push(String(error)),
    onRepair: (message) => troubles.push(message),
    ...options,
  });
}

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), "cmdop-audit-"));
  troubles = [];
  audit = opened();
});
afterEach(() => {
  vi.useRealTimers();
  audit.close();
  rmSync(directory, { recursive: true });
});

function records(log = audit.log): AnyAuditRecord[] {
  return [...log.read(0)].flatMap((batch) =>
    batch.records.map((body) => {
      const record = readAuditRecord(body, "machine");
      if (record === undefined) throw new Error(`no record: ${Buffer.from(body)}`);
      return record;
    }),
  );
}

function arrival({ line = "uptime", jobId = randomUUID(), call = "" } = {}): Arrival {
  const { serialize, deserialize } = codec(Exec.method.start.input);
  return {
    path: START,
    request: deserialize(serialize({ jobId, command: { case: "shell", value: line } })),
    signal: new AbortController().signal,
    header: (name) => (name === HEADERS.call ? call : undefined),
    inform: () => undefined,
  };
}

/** Reads a path as a call does: begins its record, and ends it. */
function readPath(file: string, keyId = "key", code: "Ok" | "NotFound" = "Ok"): void {
  const { serialize, deserialize } = codec(Files.method.info.input);
  const request = deserialize(serialize({ path: file }));
  const record = audit.arrived("relay", { ...arrival(), path: "/cmdop.v1.Files/Info", request });
  record.by(keyId, "deploy");
  record.begin(caller(keyId, ["files:read"]));
  record.end(code);
}

function caller(keyId = "key", scopes: Scope[] = ["terminal"]): Caller {
  return { door: "relay", keyId, keyName: "deploy", scopes: new Set(scopes), roots: [] };
}

describe("promise 8: what a machine records of a call", () => {
  it("a begin before it runs, and at most one end", () => {
    const jobId = randomUUID();
    const call = randomUUID();
    const record = audit.arrived("relay", arrival({ line: "echo hushhush", jobId, call }));
    record.by("key", "deploy");
    record.begin(caller());
    expect(records().at(-1)).toMatchObject({
      type: "begin",
      call,
      door: "relay",
      key: "key",
      keyName: "deploy",
      method: START,
      what: "shell 'echo [redacted]'",
      job: jobId,
    });
    record.end("Ok");
    record.end("Internal");
    expect(records().slice(2)).toMatchObject([{ type: "end", call, code: "Ok" }]);
  });

  it("a refused one has no begin, and says nothing of what a stranger said", () => {
    const stranger = audit.arrived("relay", arrival());
    stranger.end("Unauthenticated");
    const known = audit.arrived("relay", arrival());
    known.by("key", "deploy");
    known.end("PolicyDenied");
    const [, first, second] = records();
    expect(first).toMatchObject({ type: "refused", key: null, code: "Unauthenticated", count: 1 });
    expect(first).not.toHaveProperty("what");
    expect(second).toMatchObject({ type: "refused", key: "key", code: "PolicyDenied", what: "shell uptime" });
  });

  it("the relay's id for the call is taken once at a time, and only where it is one; never at the local door", () => {
    const call = randomUUID();
    const first = audit.arrived("relay", arrival({ call }));
    expect(first.id).toBe(call);
    expect(audit.arrived("relay", arrival({ call })).id).not.toBe(call);
    first.end("Ok");
    expect(audit.arrived("relay", arrival({ call })).id).toBe(call);
    expect(audit.arrived("local", arrival({ call: randomUUID() })).id).not.toBe(call);
    expect(audit.arrived("relay", arrival({ call: "../../etc/passwd" })).id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("promise 9: a record is bounded, and what had to go is counted", () => {
    for (const line of ["x".repeat(1_000_000), "\\\u0000".repeat(100_000), 'é"'.repeat(300_000)]) {
      const record = audit.arrived("relay", arrival({ line }));
      record.begin(caller());
    }
    const bodies = [...audit.log.read(1)].flatMap((batch) => batch.records);
    expect(bodies.length).toBe(3);
    for (const body of bodies) {
      expect(body.length).toBeLessThanOrEqual(MAX_AUDIT_RECORD_BYTES);
      expect(body.toString()).toMatch(/… and \d+ more characters of \d+, SHA-256 [\w-]{43} …/);
    }
    expect(records().length).toBe(4);
  });

  it("promise 9: of a thousand like refusals the first few are written, the rest counted", () => {
    vi.useFakeTimers();
    for (let index = 0; index < 1_000; index += 1) {
      const record = audit.arrived("relay", arrival({ line: `try ${index}` }));
      record.by("key", "deploy");
      record.end("PermissionDenied");
    }
    expect(records().length).toBe(5);
    vi.advanceTimersByTime(60_000);
    const refused = records().flatMap((record) => (record.type === "refused" ? [record.count] : []));
    expect(refused).toEqual([1, 1, 1, 1, 996]);
  });

  it("goes on over a restart, and a begin without an end stays one", () => {
    const { chain } = audit.log;
    const lost = audit.arrived("relay", arrival());
    lost.begin(caller());
    audit.close();
    audit = opened();
    expect(audit.log.chain).toBe(chain);
    expect(records().map(({ type }) => type)).toEqual(["started", "begin", "started"]);
  });
});

/** A chain whose disk rejects writes while `full` is set, as seen by the writer. */
class FullDisk {
  full = true;
  readonly written: { body: string; urgent: boolean }[] = [];
  readonly log: ChainLog;

  constructor(log: ChainLog) {
    this.log = log;
    vi.spyOn(log, "append").mockImplementation((body, { urgent = false } = {}) => {
      if (this.full && !urgent) throw new CmdopError("AuditUnavailable", "No audit record can be written.");
      this.written.push({ body, urgent });
      return log.head;
    });
  }

  get types(): string[] {
    return this.written.map(({ body }) => String(JSON.parse(body).type));
  }
}

describe("promise 9: nobody pushes out of a chain what others have done", () => {
  /** The bounds of a relay's copy of a chain. */
  const COPY = { fileBytes: 1024 * 1024, keptBytes: 64 * 1024 * 1024 };

  it("7,500 reads of paths that are as long as they can be", { timeout: 60_000 }, () => {
    audit.close();
    audit = opened({ limits: COPY });
    const record = audit.arrived("relay", arrival({ line: "rm -rf /srv" }));
    record.by("thief", "thief");
    record.begin(caller("thief"));
    record.end("Ok");
    for (let call = 0; call < 7_500; call += 1) readPath(`/${"x".repeat(10_000)}${call}`);
    expect(audit.log.first).toBe(1);
    expect(JSON.stringify(records().slice(0, 5))).toContain("rm -rf /srv");
  });

  it("a key that has filled its share has its reads counted, never its commands; another key's are written as ever", () => {
    audit.close();
    audit = opened({ shares: { methodBytes: 2_000, methodBytesPerHour: 0 } });
    const before = audit.log.head.seq;
    for (let call = 0; call < 1_000; call += 1)
      readPath("/etc/hosts", "key", call % 10 === 0 ? "NotFound" : "Ok");
    readPath("/etc/passwd", "other");
    for (let call = 0; call < 20; call += 1) {
      const record = audit.arrived("relay", arrival({ line: `echo ${"x".repeat(5_000)} end-of-${call}` }));
      record.by("key", "deploy");
      record.begin(caller());
      record.end("Ok");
    }
    const singly = records().filter(
      (one) => one.type === "begin" && one.key === "key" && one.method !== START,
    );
    audit.close();
    audit = opened();
    const written = records().slice(before);
    const counted = written.flatMap((one) => (one.type === "counted" ? [one] : []));
    expect(counted).toMatchObject([
      { key: "key", keyName: "deploy", door: "relay", method: "/cmdop.v1.Files/Info", calls: 1, failed: 0 },
      { key: "key", calls: expect.any(Number), failed: expect.any(Number) },
    ]);
    expect(singly.length).toBeGreaterThan(0);
    expect(singly.length + counted.reduce((sum, { calls }) => sum + calls, 0)).toBe(1_000);
    expect(written).toContainEqual(expect.objectContaining({ key: "other", what: "/etc/passwd" }));
    // Every command is recorded, with a part of its text.
    const commands = written.flatMap((one) =>
      one.type === "begin" && "door" in one && one.method === START ? [one.what ?? ""] : [],
    );
    expect(commands).toHaveLength(20);
    for (const [call, what] of commands.entries()) expect(what).toContain(`end-of-${call}`);
    expect(commands.at(-1)?.length).toBeLessThan(1_000);
  });

  it("that calls are counted is on disk before the first of them runs; a full disk refuses it", () => {
    audit.close();
    audit = opened({ shares: { methodBytes: 0 } });
    const disk = new FullDisk(audit.log);
    expect(() => readPath("/etc/hosts")).toThrowError(expect.objectContaining({ code: "AuditUnavailable" }));
    disk.full = false;
    readPath("/etc/hosts");
    expect(disk.types).toEqual(["counted"]);
  });
});

describe("promise 8: nothing runs that can't be recorded", () => {
  it("a full disk refuses the call, but lets admins and the local socket in", () => {
    const disk = new FullDisk(audit.log);
    expect(() => audit.arrived("relay", arrival()).begin(caller())).toThrowError(
      expect.objectContaining({ code: "AuditUnavailable" }),
    );
    audit.arrived("relay", arrival()).begin(caller("key", ["terminal", "admin"]));
    audit.arrived("local", arrival()).begin(caller("local"));
    expect(disk.types).toEqual(["begin", "begin"]);
  });

  it("an end that can't be written is kept, told of, and written before anything else once it can be", () => {
    const disk = new FullDisk(audit.log);
    disk.full = false;
    const record = audit.arrived("relay", arrival());
    record.begin(caller());
    disk.full = true;
    record.end("Ok");
    expect(troubles.length).toBeGreaterThan(0);
    disk.full = false;
    audit.arrived("relay", arrival()).begin(caller());
    expect(disk.types).toEqual(["begin", "end", "begin"]);
  });

  it("promise 9: what waits for room in memory is bounded", () => {
    const disk = new FullDisk(audit.log);
    const writer = new RecordWriter(disk.log, (error) => troubles.push(String(error)));
    const reason = "x".repeat(100_000);
    for (let index = 0; index < 200; index += 1) {
      writer.writeOrKeep({ type: "policy", at: 0, hash: null, error: reason });
    }
    expect(writer.unwritten).toBeLessThan(100);
    expect(troubles.join()).toContain("one was dropped");
    disk.full = false;
    writer.close();
    expect(writer.unwritten).toBe(0);
  });
});

describe("promise 8: the chain as a relay is given it", () => {
  it("from where the copy stops, on as it grows, each answer with a head of its own, until the link ends", async () => {
    audit.arrived("relay", arrival()).begin(caller());
    const link = new AbortController();
    const copy = ChainLog.openCopy({ directory: path.join(directory, "copy"), chain: audit.log.chain });
    const feed = auditFeed(audit, { chain: "", after: 0n }, link.signal);
    const take = async (): Promise<void> => {
      const { value } = await feed.next();
      if (value === undefined) throw new Error("the feed has ended");
      const { firstSeq, previousHash, records: bodies, head } = value;
      copy.appendCopy({ firstSeq: Number(firstSeq), previousHash, records: bodies });
      const said = await verifyHead(head, machineKey.publicKey);
      expect(said).toMatchObject({ chain: copy.chain, seq: copy.head.seq });
      expect(said.hash).toBe(Buffer.from(copy.head.hash).toString("base64url"));
    };
    await take();
    const next = take();
    audit.arrived("relay", arrival()).begin(caller());
    await next;
    expect(copy.head).toEqual(audit.log.head);
    const waiting = feed.next();
    link.abort();
    expect(await waiting).toMatchObject({ done: true });

    audit.arrived("relay", arrival()).begin(caller());
    const again = auditFeed(
      audit,
      { chain: copy.chain, after: BigInt(copy.head.seq) },
      AbortSignal.timeout(5_000),
    );
    for await (const { firstSeq, previousHash, records: bodies } of again) {
      copy.appendCopy({
        firstSeq: Number(firstSeq),
        previousHash,
        records: bodies,
      });
      break;
    }
    expect(copy.head).toEqual(audit.log.head);
    copy.close();
  });

  it("whoever has it all is told so by an empty first answer; so is whoever has more than there is", async () => {
    for (const after of [1n, 7n]) {
      const feed = auditFeed(audit, { chain: audit.log.chain, after }, AbortSignal.timeout(5_000));
      const { value } = await feed.next();
      if (value === undefined) throw new Error("the feed has ended");
      expect([value.firstSeq, value.records]).toEqual([2n, []]);
      expect(await verifyHead(value.head, machineKey.publicKey)).toMatchObject({ seq: 1 });
    }
  });

  it("a chain that somebody has written into ends the stream instead of being passed on as whole", async () => {
    audit.close();
    const chains = path.join(directory, "audit");
    const file = path.join(chains, readdirSync(chains).find((name) => name.endsWith(".chain")) ?? "");
    audit = opened();
    writeFileSync(file, readFileSync(file, "utf8").replace(' {"type"', '_{"type"'));
    const feed = auditFeed(audit, { chain: "", after: 0n }, AbortSignal.timeout(5_000));
    await expect(feed.next()).rejects.toMatchObject({ code: "AuditBroken" });
  });
});
