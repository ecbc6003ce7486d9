import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chainNext, chainStart } from "./chain.ts";
import { ChainLog } from "./chain-log.ts";

let directory: string;
const open: ChainLog[] = [];

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), "cmdop-chain-"));
});

afterEach(() => {
  for (const log of open.splice(0)) log.close();
  rmSync(directory, { recursive: true });
});

function opened(options: Partial<Parameters<typeof ChainLog.open>[0]> = {}): ChainLog {
  const log = ChainLog.open({ directory, ...options });
  open.push(log);
  return log;
}

function copyOf(chain: string, name = "copy"): ChainLog {
  const log = ChainLog.openCopy({ directory: path.join(directory, name), chain });
  open.push(log);
  return log;
}

const bodies = (log: ChainLog, after = 0): string[] =>
  [...log.read(after)].flatMap(({ records }) => records.map((body) => Buffer.from(body).toString()));

const files = (): string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith(".chain"))
    .sort();

const record = (index: number): string => JSON.stringify({ index, text: "x".repeat(index % 100) });

/** Returns true if every hash of a chain follows from the records before it. */
function holds(log: ChainLog): boolean {
  return [...log.read(0)].every(({ previousHash, records, hashes }) => {
    let previous = previousHash;
    return records.every((body, at) => {
      previous = chainNext(previous, body);
      return Buffer.compare(previous, hashes[at] ?? Buffer.alloc(0)) === 0;
    });
  });
}

/**
 * Appends this many records in a process whose files can't grow beyond this many blocks of 512 bytes; returns
 * the error and the last seq.
 */
function appendUntilRefused(blocks: number, times: number): string[] {
  const script = `
    import { ChainLog } from ${JSON.stringify(path.join(import.meta.dirname, "chain-log.ts"))};
    const log = ChainLog.open({ directory: process.argv[1], limits: { reserveBytes: 0 } });
    let code = "";
    for (let index = 0; index < ${times} && code === ""; index += 1) {
      try { log.append("x".repeat(150)); } catch (thrown) { code = thrown.code; }
    }
    process.stdout.write(code + " " + log.head.seq);`;
  const limited = `ulimit -f ${blocks}; trap "" XFSZ; exec "$@"`;
  const args = ["-c", limited, "sh", process.execPath, "--input-type=module", "-e", script, directory];
  return execFileSync("/bin/sh", args, { encoding: "utf8" }).split(" ");
}

describe("promise 8: an audit chain on disk", () => {
  it("keeps its records in order, each chained to the one before", () => {
    const log = opened();
    expect(log.head).toEqual({ seq: 0, hash: chainStart(log.chain) });
    const first = log.append("one");
    expect(first).toEqual({ seq: 1, hash: chainNext(chainStart(log.chain), "one") });
    expect(log.append("two")).toEqual({ seq: 2, hash: chainNext(first.hash, "two") });
    expect(bodies(log)).toEqual(["one", "two"]);
    expect(bodies(log, 1)).toEqual(["two"]);
    expect(bodies(log, 2)).toEqual([]);
  });

  it("goes on where it stopped when it is opened again, over many files", () => {
    const limits = { fileBytes: 500 };
    for (let index = 0; index < 60; index += 1) {
      const log = opened({ limits });
      log.append(record(index));
      log.close();
    }
    const log = opened({ limits });
    expect(files().length).toBeGreaterThan(5);
    expect(log.head.seq).toBe(60);
    expect(bodies(log)).toEqual(Array.from({ length: 60 }, (_, index) => record(index)));
    expect(holds(log)).toBe(true);
    expect([...log.read(41)][0]?.firstSeq).toBe(42);
  });

  it("is for its owner's eyes alone", () => {
    opened().append("one");
    for (const name of readdirSync(directory))
      expect(statSync(path.join(directory, name)).mode & 0o077).toBe(0);
  });

  it("keeps a torn last line aside, and a file that was only begun, and says so", () => {
    const log = opened();
    log.append("one");
    log.close();
    appendFileSync(path.join(directory, files()[0] ?? ""), "half a rec");
    writeFileSync(path.join(directory, "0000000000000002.chain"), '{"chain":');
    const troubles: string[] = [];
    const again = opened({ onTrouble: (message) => troubles.push(message) });
    again.append("two");
    expect(bodies(again)).toEqual(["one", "two"]);
    expect(holds(again)).toBe(true);
    expect(troubles).toEqual([
      expect.stringContaining("its first line is not whole"),
      expect.stringContaining("10 bytes of a record were not written whole"),
    ]);
    const kept = readdirSync(directory).filter((name) => name.includes(".torn-"));
    const aside = kept.sort().map((name) => readFileSync(path.join(directory, name), "utf8"));
    expect(aside).toEqual(["half a rec", '{"chain":']);
  });

  it.each([
    ["records", ["one", "two"]],
    ["nothing but its header", []],
  ])("a file with %s that has lost its last newline loses nothing else", (_what, records) => {
    const log = opened();
    if (records.length === 0) log.append("one");
    for (const body of records) log.append(body);
    log.close();
    const file = path.join(directory, files()[0] ?? "");
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    writeFileSync(file, records.length === 0 ? (lines[0] ?? "") : lines.join("\n"));
    const troubles: string[] = [];
    const again = opened({ onTrouble: (message) => troubles.push(message) });
    expect(again.chain).toBe(log.chain);
    expect(bodies(again)).toEqual(records);
    again.append("three");
    expect(bodies(again)).toEqual([...records, "three"]);
    expect(holds(again)).toBe(true);
    expect(troubles).toEqual(
      records.length === 0 ? [] : [expect.stringContaining("lacked its newline, which was added")],
    );
  });

  it("a whole line without its newline that does not follow is kept aside, and not taken for a record", () => {
    const log = opened();
    log.append("one");
    log.close();
    const file = path.join(directory, files()[0] ?? "");
    appendFileSync(file, `${"A".repeat(43)} forged`);
    const again = opened();
    expect(bodies(again)).toEqual(["one"]);
    expect(readdirSync(directory).some((name) => name.endsWith(".torn-1"))).toBe(true);
  });

  it.each([
    ["changed", (lines: string[]) => lines.map((line) => line.replace("two", "TWO"))],
    ["removed", (lines: string[]) => lines.filter((line) => !line.includes("two"))],
    ["reordered", ([header = "", one = "", two = "", ...rest]: string[]) => [header, two, one, ...rest]],
  ])("a record that was %s no longer fits", (_what, change) => {
    const log = opened();
    for (const body of ["one", "two", "three"]) log.append(body);
    expect(holds(log)).toBe(true);
    log.close();
    const file = path.join(directory, files()[0] ?? "");
    writeFileSync(file, change(readFileSync(file, "utf8").split("\n")).join("\n"));
    expect(holds(opened())).toBe(false);
  });

  it("files that somebody has written into are set aside, and a new chain begins", () => {
    const log = opened();
    log.append("one");
    log.close();
    const file = files()[0] ?? "";
    appendFileSync(path.join(directory, file), "no record at all\n");
    const troubles: string[] = [];
    const next = opened({ onTrouble: (message) => troubles.push(message) });
    expect(next.chain).not.toBe(log.chain);
    expect(next.head.seq).toBe(0);
    const aside = /moved to (\S+),/.exec(troubles.join())?.[1] ?? "";
    expect(readFileSync(path.join(aside, file), "utf8")).toContain("one");
    rmSync(aside, { recursive: true });
  });

  it("a record that is written into while the log is open is called broken by whoever reads it", () => {
    const log = opened();
    log.append("one");
    const file = path.join(directory, files()[0] ?? "");
    writeFileSync(file, readFileSync(file, "utf8").replace(" one", "-one"));
    expect(() => bodies(log)).toThrowError(expect.objectContaining({ code: "AuditBroken" }));
  });

  it("promise 9: keeps to its bound; the oldest go, and the rest still follows", () => {
    const log = opened({ limits: { fileBytes: 1_000, keptBytes: 5_000 } });
    for (let index = 0; index < 300; index += 1) log.append(record(index));
    expect(log.bytes).toBeLessThanOrEqual(6_200);
    expect(log.first).toBeGreaterThan(200);
    expect(log.head.seq).toBe(300);
    expect(bodies(log)).toEqual(
      Array.from({ length: 301 - log.first }, (_, at) => record(log.first - 1 + at)),
    );
    expect(holds(log)).toBe(true);
  });

  it("a record is one line of bounded length", () => {
    const log = opened();
    expect(() => log.append("a\nb")).toThrow();
    expect(() => log.append("x".repeat(17_000))).toThrow();
    expect(log.head.seq).toBe(0);
  });

  it("tells whoever waits for the next record", async () => {
    const log = opened();
    const leaving = new AbortController();
    let woken = false;
    const waiting = log.waitFor(0, leaving.signal).then(() => {
      woken = true;
    });
    await Promise.resolve();
    expect(woken).toBe(false);
    log.append("one");
    await waiting;
    const abandoned = log.waitFor(1, leaving.signal);
    leaving.abort();
    await abandoned;
  });

  it("on a disk that takes no more: AuditUnavailable, and nothing half written", () => {
    const limits = { reserveBytes: 0 };
    const before = opened({ limits });
    for (let index = 0; index < 10; index += 1) before.append("x".repeat(150));
    // `ulimit -f 0` simulates a full disk.
    expect(appendUntilRefused(0, 1)).toEqual(["AuditUnavailable", "10"]);
    const log = opened({ limits });
    expect(log.head.seq).toBe(10);
    log.append("room again");
    expect(holds(log)).toBe(true);
  });

  it("where only the size of files is limited, the next file takes what the last one could not", () => {
    expect(appendUntilRefused(8, 100)).toEqual(["", "100"]);
    const log = opened();
    expect(files().length).toBeGreaterThan(3);
    expect([log.head.seq, holds(log)]).toEqual([100, true]);
  });
});

describe("a copy of a chain", () => {
  it("takes the batches as they come, wherever it stopped before", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 12 }), (growth) => {
        const home = mkdtempSync(path.join(directory, "property-"));
        const log = ChainLog.open({ directory: path.join(home, "log"), limits: { fileBytes: 700 } });
        const options = {
          directory: path.join(home, "copied"),
          chain: log.chain,
          limits: { fileBytes: 300 },
        };
        for (const records of growth) {
          for (let index = 0; index < records; index += 1) log.append(record(index));
          const copy = ChainLog.openCopy(options);
          for (const batch of log.read(copy.head.seq)) copy.appendCopy(batch);
          copy.close();
        }
        const copy = ChainLog.openCopy(options);
        expect(copy.head).toEqual(log.head);
        expect(bodies(copy)).toEqual(bodies(log));
        log.close();
        copy.close();
      }),
      { numRuns: 30 },
    );
  });

  it("takes a batch over many files as it takes its records one by one; readers go on from anywhere", () => {
    const log = opened();
    for (let index = 1; index <= 5_000; index += 1) log.append(record(index));
    const limits = { fileBytes: 16 * 1024, reserveBytes: 0 };
    const directories = ["at-once", "one-by-one"].map((name) => path.join(directory, name));
    const [atOnce, oneByOne] = directories.map((copy) => {
      const opening = ChainLog.openCopy({ directory: copy, chain: log.chain, limits });
      open.push(opening);
      return opening;
    });
    for (const { firstSeq, previousHash, records, hashes } of log.read(0)) {
      atOnce?.appendCopy({ firstSeq, previousHash, records });
      for (const [at, body] of records.entries()) {
        const previous = hashes[at - 1] ?? previousHash;
        oneByOne?.appendCopy({ firstSeq: firstSeq + at, previousHash: previous, records: [body] });
      }
    }
    const [some = "", other = ""] = directories.map((copy) =>
      readdirSync(copy)
        .sort()
        .map((name) => `${name}\n${readFileSync(path.join(copy, name), "utf8")}`)
        .join("\n"),
    );
    expect(some.split(".chain").length).toBeGreaterThan(20);
    expect(some === other).toBe(true);
    atOnce?.close();
    const again = ChainLog.openCopy({ directory: directories[0] ?? "", chain: log.chain, limits });
    open.push(again);
    for (const after of [0, 2_500, 2_501, 1, 4_999, 2_500]) {
      expect(bodies(again, after)[0]).toBe(record(after + 1));
      expect(bodies(again, after)).toHaveLength(5_000 - after);
    }
  });

  it("promise 9: a batch has a bounded number of records, however small they are", () => {
    const log = opened();
    for (let index = 0; index < 5_000; index += 1) log.append("{}");
    const sizes = [...log.read(0)].map(({ records }) => records.length);
    expect(Math.max(...sizes)).toBe(2_048);
    expect(bodies(log)).toHaveLength(5_000);
    expect(holds(log)).toBe(true);
  });

  it("refuses what does not follow, and stays as it was", () => {
    const log = opened();
    for (const body of ["one", "two", "three"]) log.append(body);
    const copy = copyOf(log.chain);
    const [batch] = [...log.read(0)];
    if (batch === undefined) throw new Error("no batch");
    copy.appendCopy({ ...batch, records: batch.records.slice(0, 2) });
    const forked = {
      firstSeq: 3,
      previousHash: chainNext(batch.previousHash, "other"),
      records: [Buffer.from("x")],
    };
    const refusal = expect.objectContaining({ code: "AuditBroken" });
    expect(() => copy.appendCopy(forked)).toThrowError(refusal);
    expect(() => copy.appendCopy(batch)).toThrowError(refusal);
    expect(bodies(copy)).toEqual(["one", "two"]);
    for (const rest of log.read(2)) copy.appendCopy(rest);
    expect(copy.head).toEqual(log.head);
  });

  it("keeps a gap as a gap, also when it is opened again", () => {
    const log = opened();
    for (const body of ["one", "two", "three", "four"]) log.append(body);
    const copy = copyOf(log.chain);
    const first = [...log.read(0)][0];
    if (first === undefined) throw new Error("no batch");
    copy.appendCopy({ ...first, records: first.records.slice(0, 1) });
    for (const rest of log.read(2)) copy.appendCopy(rest);
    copy.close();
    const again = copyOf(log.chain);
    expect(again.head).toEqual(log.head);
    expect([...again.read(0)].map(({ firstSeq, records }) => [firstSeq, records.length])).toEqual([
      [1, 1],
      [3, 2],
    ]);
  });

  it("is never mixed with another chain", () => {
    const log = opened();
    log.append("one");
    copyOf(log.chain).appendCopy(
      [...log.read(0)][0] ?? { firstSeq: 1, previousHash: new Uint8Array(32), records: [] },
    );
    expect(() => copyOf(crypto.randomUUID())).toThrowError(expect.objectContaining({ code: "AuditBroken" }));
  });
});
