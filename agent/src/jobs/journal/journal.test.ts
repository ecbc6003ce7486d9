import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Journal, type JournalItem } from "./journal.ts";
import type { Channel } from "./journal-records.ts";
import { type OutputAccount, OutputBudget } from "./output-budget.ts";
import {
  account,
  bytes,
  ENDLESS,
  limits,
  MAX,
  MIN,
  newDirectory,
  pattern,
  readAll,
  SEGMENT,
} from "./test-support.ts";

const KiB = 1024;
const LARGEST_WRITE = 64 * KiB;

/** A journal's bounds, of the place where it keeps its output. */
interface Bounds {
  readonly max?: number;
  readonly absentReaderGraceMs?: number;
  readonly budget?: OutputAccount;
}

/** Where a journal keeps its output. */
interface Place {
  readonly newJournal: (bounds?: Bounds) => Journal;
  /** What a journal takes there, in bytes. */
  readonly takes: (journal: Journal) => number;
  /** How far beyond its bound that may be. */
  readonly slack: number;
}

const inMemory: Place = {
  newJournal: ({ max = MAX, budget = account(), ...more } = {}) =>
    new Journal({
      limits: { ...limits, maxMemoryJournalBytes: max, ...more },
      memory: budget,
      disk: account(),
    }),
  takes: ({ heldBytes }) => heldBytes,
  slack: 0,
};

const onDisk: Place = {
  newJournal: ({ max = MAX, budget = account(), ...more } = {}) =>
    new Journal({
      limits: { ...limits, maxJournalBytes: max, ...more },
      memory: account(),
      disk: budget,
      directory: newDirectory(),
    }),
  takes: ({ fileBytes }) => fileBytes,
  slack: SEGMENT + LARGEST_WRITE,
};

/** Writes until the journal is full. */
function fill(journal: Journal, size: number): void {
  for (let count = 0; !journal.full; count += 1) {
    if (count > 1000) throw new Error("the journal is never full");
    journal.append("stdout", bytes(size));
  }
}

describe.each([
  ["in memory", inMemory],
  ["on disk", onDisk],
])("a journal %s", (_name, { newJournal, takes, slack }) => {
  test("promise 3: read from any offset, in records of any size, nothing is lost, doubled or mixed up", async () => {
    const write = fc.record({
      channel: fc.constantFrom<Channel>("stdout", "stderr"),
      data: fc.uint8Array({ minLength: 1, maxLength: 300 }),
      times: fc.constantFrom(1, 1, 1, 500),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 30 }), fc.nat(), async (writes, seed) => {
        const journal = newJournal({ max: 2 ** 30 });
        const expected: { channel: Channel; byte: number }[] = [];
        for (const { channel, data, times } of writes) {
          for (let time = 0; time < times; time += 1) {
            journal.append(channel, data.slice());
            for (const byte of data) expected.push({ channel, byte });
          }
        }
        journal.close();
        const after = seed % (expected.length + 1);
        const seen: typeof expected = [];
        for (const item of await readAll(journal, BigInt(after))) {
          expect(item.kind).toBe("output");
          if (item.kind === "output")
            for (const byte of item.bytes) seen.push({ channel: item.channel, byte });
        }
        expect(journal.end).toBe(BigInt(expected.length));
        expect(seen).toEqual(expected.slice(after));
      }),
      { numRuns: 60 },
    );
  });

  test("with any bound and readers that come, go and dawdle, every reader accounts for every byte", async () => {
    const step = fc.oneof(
      fc.record({ act: fc.constant("write" as const), length: fc.integer({ min: 1, max: 60_000 }) }),
      fc.record({ act: fc.constant("read" as const), length: fc.integer({ min: 0, max: 20 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 200 }), fc.nat(5000), async (steps, after) => {
        const journal = newJournal({ max: 200 * KiB });
        const begin = BigInt(after);
        using reader = journal.open(begin, { holds: false });
        let position = begin;
        const check = (item: JournalItem): void => {
          expect(item.offset).toBe(position);
          if (item.kind === "dropped") position += item.bytes;
          else {
            expect(Buffer.from(item.bytes).equals(pattern(position, item.bytes.length))).toBe(true);
            position += BigInt(item.bytes.length);
          }
        };
        for (const { act, length } of steps) {
          if (act === "write") {
            journal.append("stdout", pattern(journal.end, length));
            expect(takes(journal)).toBeLessThanOrEqual(200 * KiB + slack);
            continue;
          }
          for (let count = 0; count < length && position < journal.end; count += 1) {
            const item = await reader.next();
            if (item !== undefined) check(item);
          }
        }
        journal.close();
        for (let item = await reader.next(); item !== undefined; item = await reader.next()) check(item);
        expect(position).toBe(begin > journal.end ? begin : journal.end);
      }),
      { numRuns: 60 },
    );
  });

  test("a reader that is ahead waits until its offset has been written", async () => {
    const journal = newJournal();
    using reader = journal.open(5n, { holds: true });
    const next = reader.next();
    journal.append("stdout", Buffer.from("12345"));
    journal.append("stdout", Buffer.from("678"));
    await expect(next).resolves.toMatchObject({
      kind: "output",
      offset: 5n,
      bytes: new Uint8Array(Buffer.from("678")),
    });
  });

  test("an offset beyond everything ends with the journal", async () => {
    const journal = newJournal();
    using reader = journal.open(2n ** 64n - 1n, { holds: true });
    const next = reader.next();
    journal.close();
    await expect(next).resolves.toBeUndefined();
  });

  test("a reader whose signal aborts stops waiting", async () => {
    const journal = newJournal();
    const controller = new AbortController();
    using reader = journal.open(0n, { holds: true });
    const next = reader.next(controller.signal);
    controller.abort();
    await expect(next).resolves.toBeUndefined();
  });

  test("a journal is full while a reader that holds has half of the bound unread, and drops nothing of that", async () => {
    const journal = newJournal();
    using reader = journal.open(0n, { holds: true });
    let rooms = 0;
    journal.onRoom = () => {
      if (!journal.full) rooms += 1;
    };
    fill(journal, 64 * KiB);
    expect(takes(journal)).toBeGreaterThanOrEqual(MAX / 2);
    expect(journal.start).toBe(0n);
    expect(rooms).toBe(0);
    await reader.next();
    expect(journal.full).toBe(false);
    expect(rooms).toBeGreaterThan(0);
  });

  test("what was read may be asked for again, up to half of the bound", async () => {
    const journal = newJournal();
    using reader = journal.open(0n, { holds: true });
    for (let count = 0; count < 100; count += 1) {
      journal.append("stdout", bytes(64 * KiB));
      await reader.next();
    }
    expect(journal.end - journal.start).toBeGreaterThanOrEqual(BigInt(MAX / 2));
    expect(journal.full).toBe(false);
  });

  test("a reader that does not hold never fills a journal, and is told what it lost", async () => {
    const journal = newJournal();
    using reader = journal.open(0n, { holds: false });
    for (let count = 0; count < 100; count += 1) journal.append("stdout", bytes(64 * KiB, count));
    expect(journal.full).toBe(false);
    const gap = await reader.next();
    expect(gap).toEqual({ kind: "dropped", offset: 0n, bytes: journal.start });
    await expect(reader.next()).resolves.toMatchObject({ kind: "output", offset: journal.start });
  });

  test("the place of the last reader that went away is held for a grace, then the oldest goes", async () => {
    const room = Promise.withResolvers<void>();
    const journal = newJournal({ absentReaderGraceMs: 20 });
    journal.open(0n, { holds: true })[Symbol.dispose]();
    fill(journal, 64 * KiB);
    journal.onRoom = room.resolve;
    await room.promise;
    expect(journal.full).toBe(false);
    for (let count = 0; count < 20; count += 1) journal.append("stdout", bytes(64 * KiB));
    expect(journal.start).toBeGreaterThan(0n);
    expect(takes(journal)).toBeLessThanOrEqual(MAX + slack);
  });

  test("a reader that comes back within the grace loses nothing", async () => {
    const journal = newJournal();
    journal.open(0n, { holds: true })[Symbol.dispose]();
    fill(journal, 64 * KiB);
    using reader = journal.open(0n, { holds: true });
    await expect(reader.next()).resolves.toMatchObject({ kind: "output", offset: 0n });
  });

  test("promise 9: with the budget of all used up, a journal is held to its minimum, and blocks no reader that keeps up", async () => {
    const budget = account(300 * KiB);
    const other = newJournal({ budget });
    using stuck = other.open(0n, { holds: true });
    for (let count = 0; count < 5; count += 1) other.append("stdout", bytes(64 * KiB));
    await stuck.next();
    expect(budget.exhausted).toBe(true);
    expect(other.start).toBe(0n);

    const journal = newJournal({ budget });
    using reader = journal.open(0n, { holds: true });
    for (let count = 0; count < 1000; count += 1) {
      expect(journal.full).toBe(false);
      journal.append("stderr", bytes(KiB));
      await reader.next();
    }
    expect(takes(journal)).toBeLessThanOrEqual(MIN + slack);
    fill(journal, KiB);
    expect(takes(journal)).toBeLessThanOrEqual(MIN + slack);
  });

  test("released output is counted as dropped", async () => {
    const budget = new OutputBudget(ENDLESS);
    const journal = newJournal({ budget: budget.account("key") });
    journal.append("stdout", bytes(1000));
    journal.close();
    journal.release();
    expect(budget.usedBytes).toBe(0);
    expect(await readAll(journal, 300n)).toEqual([{ kind: "dropped", offset: 300n, bytes: 700n }]);
  });
});

test("small writes are joined where they queue, up to one event's size", async () => {
  const journal = inMemory.newJournal({ max: 2 ** 30 });
  for (let count = 0; count < 100_000; count += 1) journal.append("stdout", bytes(1));
  journal.close();
  expect(journal.heldBytes).toBeLessThan(300_000);
  const items = await readAll(journal);
  expect(items.map((item) => (item.kind === "output" ? item.bytes.length : -1))).toEqual([65_536, 34_464]);
});

test("promise 9: one-byte records of changing channels cost what they cost", () => {
  const journal = inMemory.newJournal();
  for (let count = 0; count < 100_000; count += 1)
    journal.append(count % 2 === 0 ? "stdout" : "stderr", bytes(1));
  expect(journal.heldBytes).toBeLessThanOrEqual(MAX);
  expect(journal.start).toBeGreaterThan(90_000n);
});
