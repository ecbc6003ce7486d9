import { execFileSync, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { type Arrival, codec, Exec, generateKeyPair } from "@cmdop/proto";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Caller } from "../policy/caller.ts";
import { MachineAudit } from "./machine-audit.ts";

/** Size of the disk that is filled, in bytes. */
const DISK_BYTES = 4 * 1024 * 1024;

const directory = mkdtempSync(path.join(os.tmpdir(), "cmdop-disk-"));
// Only root may mount a disk; for other users, machine-audit.test.ts replaces the disk by a spy.
const mounted =
  spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", directory]).status === 0;

afterAll(() => {
  vi.useRealTimers();
  if (mounted) execFileSync("umount", ["-l", directory]);
  rmdirSync(directory);
});

function arrival(): Arrival {
  const { serialize, deserialize } = codec(Exec.method.start.input);
  return {
    path: "/cmdop.v1.Exec/Start",
    request: deserialize(
      serialize({ jobId: randomUUID(), command: { case: "shell", value: "x".repeat(500) } }),
    ),
    signal: new AbortController().signal,
    header: () => undefined,
    inform: () => undefined,
  };
}

function caller(admin: boolean): Caller {
  const scopes = new Set(admin ? (["terminal", "admin"] as const) : (["terminal"] as const));
  return { door: "relay", keyId: "key", keyName: "deploy", scopes, roots: [] };
}

describe.runIf(mounted)("promise 8: on a disk that is really full", () => {
  const filling = path.join(directory, "filling");
  let audit: MachineAudit;
  afterAll(() => audit.close());
  const troubles: string[] = [];
  beforeAll(() => {
    audit = new MachineAudit({
      directory: path.join(directory, "audit"),
      machineKey: generateKeyPair(),
      version: "0",
      redact: () => (text) => text,
      onTrouble: (error) => troubles.push(String(error)),
      onRepair: (message) => troubles.push(message),
    });
  });

  it("nothing runs but what owners and admins do to repair it, and nothing is lost", () => {
    const early = audit.arrived("relay", arrival());
    early.begin(caller(false));
    const { bavail, bsize } = statfsSync(directory);
    writeFileSync(filling, Buffer.alloc(bavail * bsize));
    const begin = (admin: boolean): void => {
      const record = audit.arrived("relay", arrival());
      record.begin(caller(admin));
    };
    // The last page of the chain's file still has room.
    const refused = expect.objectContaining({ code: "AuditUnavailable" });
    expect(() => {
      for (let index = 0; index < 20; index += 1) begin(false);
    }).toThrowError(refused);
    const { seq } = audit.log.head;
    early.end("Ok");
    expect(audit.log.head.seq).toBe(seq);
    expect(troubles.join()).toContain("No audit record can be written");

    for (let index = 0; index < 100; index += 1) begin(true);
    expect(troubles.join()).toContain("reserve");
    expect(() => begin(false)).toThrowError(refused);
    rmSync(filling);
    vi.useFakeTimers({ toFake: ["performance"] });
    vi.advanceTimersByTime(60_000);
    begin(false);
    // 100 begins of admins, the end that waited, and this begin.
    expect(audit.log.head.seq).toBe(seq + 102);
  });
});
