import { existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Journal } from "./journal.ts";
import type { Channel } from "./journal-records.ts";
import { OutputBudget } from "./output-budget.ts";
import { account, bytes, ENDLESS, limits, MAX, newDirectory, pattern, readAll } from "./test-support.ts";

describe("a journal's file", () => {
  /** A place on disk, and what is wrong with it. */
  function newJournal(onTrouble?: (error: unknown) => void) {
    const disk = new OutputBudget(ENDLESS);
    const options = {
      limits: { ...limits, recentBytes: 100 },
      memory: account(),
      disk: disk.account("key"),
      directory: newDirectory(),
      onTrouble,
    };
    return { journal: new Journal(options), disk, options };
  }

  test("promise 3: is read again in a later life, from any offset, records cut by a crash included", async () => {
    const write = fc.record({
      channel: fc.constantFrom<Channel>("stdout", "stderr"),
      length: fc.integer({ min: 1, max: 3_000 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(write, { maxLength: 60 }),
        fc.nat(),
        fc.nat(20),
        async (writes, seed, lost) => {
          const { journal, options } = newJournal();
          const channelAt: Channel[] = [];
          for (const { channel, length } of writes) {
            journal.append(channel, pattern(journal.end, length));
            for (let count = 0; count < length; count += 1) channelAt.push(channel);
          }
          journal.close();
          if (lost > 0 && existsSync(options.directory)) cutLast(options.directory, lost);

          const found = Journal.found(options);
          expect(found.end).toBeLessThanOrEqual(journal.end);
          expect(Number(journal.end - found.end)).toBeLessThanOrEqual(lost);
          const after = BigInt(seed) % (found.end + 1n);
          let position = after;
          for (const item of await readAll(found, after)) {
            if (item.kind !== "output") throw new Error("nothing may be dropped");
            expect(item.offset).toBe(position);
            expect(Buffer.from(item.bytes).equals(pattern(position, item.bytes.length))).toBe(true);
            for (const _ of item.bytes) {
              expect(item.channel).toBe(channelAt[Number(position)]);
              position += 1n;
            }
          }
          expect(position).toBe(found.end);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("is not looked through before somebody reads it, where its facts were written down", async () => {
    const { journal, options } = newJournal();
    for (let count = 0; count < 10; count += 1) journal.append("stdout", pattern(journal.end, 10_000));
    journal.close();
    const found = Journal.found(options, journal.facts);
    expect(found).toMatchObject({ start: 0n, end: 100_000n, fileBytes: journal.fileBytes });
    expect((await readAll(found, 50_000n))[0]).toMatchObject({ kind: "output", offset: 50_000n });
  });

  test("is made at the first byte, and gone when it is released", () => {
    const { journal, disk, options } = newJournal();
    expect(existsSync(options.directory)).toBe(false);
    journal.append("stdout", bytes(1));
    expect(readdirSync(options.directory)).toEqual(["0.log"]);
    expect(disk.usedBytes).toBeGreaterThan(0);
    journal.close();
    journal.release();
    expect(existsSync(options.directory)).toBe(false);
    expect(disk.usedBytes).toBe(0);
  });

  test("holds no descriptor for a job that has ended, nor for a reader that dawdles", async () => {
    const open = (): number => readdirSync("/proc/self/fd").length;
    const { journal } = newJournal();
    const before = open();
    for (let count = 0; count < 10; count += 1) journal.append("stdout", bytes(10_000));
    using reader = journal.open(0n, { holds: false });
    await reader.next();
    expect(open()).toBe(before + 1);
    journal.close();
    expect(open()).toBe(before);
  });

  test("promise 9: that can't be written any more leaves memory, within its bound; what is lost in between is counted", async () => {
    const troubles: unknown[] = [];
    const { journal, options } = newJournal((error) => troubles.push(error));
    journal.append("stdout", pattern(0n, 5_000));
    // The next segment can't be made: its name is taken.
    mkdirSync(join(options.directory, "20000.log"));
    for (let count = 0; count < 3; count += 1) journal.append("stderr", pattern(journal.end, 5_000));
    expect(journal.inMemory).toBe(false);
    for (let count = 0; count < 1_000; count += 1) journal.append("stdout", pattern(journal.end, 5_000));
    expect(journal.inMemory).toBe(true);
    expect(troubles).toHaveLength(1);
    expect(journal.heldBytes).toBeLessThanOrEqual(MAX);
    journal.close();

    const items = await readAll(journal);
    const gaps = items.filter(({ kind }) => kind === "dropped");
    expect(gaps).toHaveLength(1);
    expect(gaps[0]).toMatchObject({ offset: 20_000n });
    let position = 0n;
    for (const item of items) {
      expect(item.offset).toBe(position);
      if (item.kind === "output") {
        expect(Buffer.from(item.bytes).equals(pattern(position, item.bytes.length))).toBe(true);
      }
      position += item.kind === "output" ? BigInt(item.bytes.length) : item.bytes;
    }
    expect(position).toBe(journal.end);
  });

  test("that somebody deleted is a gap, never a crash", async () => {
    const { journal, options } = newJournal();
    for (let count = 0; count < 10; count += 1) journal.append("stdout", bytes(10_000));
    rmSync(options.directory, { recursive: true });
    journal.close();
    expect(await readAll(journal)).toEqual([{ kind: "dropped", offset: 0n, bytes: 100_000n }]);
  });
});

/** Takes bytes off the end of the last segment, as a crash would. */
function cutLast(directory: string, count: number): void {
  const names = readdirSync(directory).sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  const last = join(directory, names.at(-1) ?? "");
  truncateSync(last, Math.max(0, statSync(last).size - count));
}
