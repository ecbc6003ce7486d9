import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
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
          const boundaries = new Set([0n]);
          for (const { channel, length } of writes) {
            journal.append(channel, pattern(journal.end, length));
            boundaries.add(journal.end);
            for (let count = 0; count < length; count += 1) channelAt.push(channel);
          }
          journal.close();
          if (lost > 0 && existsSync(options.directory)) cutLast(options.directory, lost);

          const found = Journal.found(options);
          expect(found.end).toBeLessThanOrEqual(journal.end);
          // What was cut can't be checked, and was shown to nobody.
          expect(boundaries).toContain(found.end);
          if (lost === 0) expect(found.end).toBe(journal.end);
          const after = BigInt(seed) % (found.end + 1n);
          let position = after;
          for (const item of await readAll(found, after)) {
            if (item.kind !== "output") throw new Error("nothing may be dropped");
            expect(item.offset).toBe(position);
            expect(Buffer.from(item.bytes).equals(pattern(position, item.bytes.length))).toBe(true);
            const end = position + BigInt(item.bytes.length);
            const channels = new Set(channelAt.slice(Number(position), Number(end)));
            expect([...channels]).toEqual([item.channel]);
            position = end;
          }
          expect(position).toBe(found.end);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("promise 3: what is damaged on disk is never shown, and said with its offsets; what is good is shown", async () => {
    const damage = fc.record({ at: fc.nat(), length: fc.integer({ min: 1, max: 40 }), byte: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 40 }),
        fc.array(damage, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        fc.nat(),
        async (lengths, damages, isWrittenDown, seed) => {
          const troubles: unknown[] = [];
          const { journal, options } = newJournal((error) => troubles.push(error));
          for (const length of lengths) journal.append("stdout", pattern(journal.end, length));
          journal.close();
          for (const one of damages) damageFile(options.directory, one);

          const found = Journal.found(options, isWrittenDown ? journal.facts : undefined);
          const after = BigInt(seed) % (found.end + 1n);
          let position = after;
          let dropped = 0n;
          for (const item of await readAll(found, after)) {
            expect(item.offset).toBe(position);
            if (item.kind === "output") {
              expect(Buffer.from(item.bytes).equals(pattern(position, item.bytes.length))).toBe(true);
            } else dropped += item.bytes;
            position += item.kind === "output" ? BigInt(item.bytes.length) : item.bytes;
          }
          expect(position).toBe(found.end);
          if (isWrittenDown) expect(found.end).toBe(journal.end);
          expect(troubles.length > 0).toBe(dropped > 0n);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("promise 3: one flipped bit costs one record", async () => {
    const { journal, options } = newJournal();
    for (let count = 0; count < 12; count += 1) journal.append("stdout", pattern(journal.end, 1_000));
    journal.close();
    const file = join(options.directory, "0.log");
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(3_500) ^ 1, 3_500);
    writeFileSync(file, bytes);
    const gaps = (await readAll(Journal.found(options, journal.facts))).filter(
      ({ kind }) => kind === "dropped",
    );
    expect(gaps).toEqual([{ kind: "dropped", offset: 3_000n, bytes: 1_000n }]);
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

/** Overwrites bytes somewhere in a journal's files. */
function damageFile(
  directory: string,
  { at, length, byte }: { at: number; length: number; byte: number },
): void {
  const names = readdirSync(directory).sort();
  const file = join(directory, names[at % names.length] ?? "");
  const bytes = readFileSync(file);
  const from = at % bytes.length;
  writeFileSync(file, bytes.fill(byte, from, Math.min(from + length, bytes.length)));
}
