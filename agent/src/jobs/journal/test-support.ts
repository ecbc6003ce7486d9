import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { Journal, JournalItem, JournalOptions } from "./journal.ts";
import { type OutputAccount, OutputBudget } from "./output-budget.ts";

const KiB = 1024;

/** A budget that nothing exhausts. */
export const ENDLESS = 2 ** 40;

/** An account that nobody else shares. */
export const account = (maxBytes = ENDLESS): OutputAccount => new OutputBudget(maxBytes).account("key");

export const MAX = 1024 * KiB;
export const MIN = 256 * KiB;
export const SEGMENT = 16 * KiB;

/** Small enough to reach quickly; the same in memory as on disk. */
export const limits: JournalOptions["limits"] = {
  maxJournalBytes: MAX,
  minJournalBytes: MIN,
  segmentBytes: SEGMENT,
  recentBytes: 4 * KiB,
  minRecentBytes: KiB,
  maxMemoryJournalBytes: MAX,
  minMemoryJournalBytes: MIN,
  absentReaderGraceMs: 60_000,
};

let scratch: string | undefined;
let journals = 0;
afterAll(() => {
  if (scratch !== undefined) rmSync(scratch, { recursive: true });
});

/** A place of its own for a journal's file, until the end of the test file. Nothing is there yet. */
export function newDirectory(): string {
  scratch ??= mkdtempSync(join(tmpdir(), "cmdop-journal-"));
  journals += 1;
  return join(scratch, String(journals));
}

export const bytes = (length: number, value = 0): Uint8Array => new Uint8Array(length).fill(value);

/** Bytes that tell at which offset they belong. */
export function pattern(offset: bigint, length: number): Uint8Array {
  const first = Number(offset % 251n);
  return Uint8Array.from({ length }, (_, index) => (first + index) % 251);
}

/** All that is left of a journal that has been closed. */
export async function readAll(journal: Journal, after = 0n): Promise<JournalItem[]> {
  using reader = journal.open(after, { holds: false });
  const items: JournalItem[] = [];
  for (let item = await reader.next(); item !== undefined; item = await reader.next()) items.push(item);
  return items;
}
