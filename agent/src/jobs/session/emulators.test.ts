import { expect, test } from "vitest";
import { Journal } from "../journal/journal.ts";
import { OutputBudget } from "../journal/output-budget.ts";
import { JOB_LIMITS } from "../limits.ts";
import { emulators } from "./emulators.ts";
import { SessionTerminal } from "./terminal.ts";

const MiB = 1024 * 1024;

function newJournal(maxMemoryJournalBytes: number = 64 * MiB): Journal {
  const budget = () => new OutputBudget(1024 * MiB).account("key");
  const limits = { ...JOB_LIMITS, maxMemoryJournalBytes };
  return new Journal({ limits, memory: budget(), disk: budget() });
}

/** A running session's terminal, without the session. */
function terminalOf(journal: Journal, keyId = "key"): SessionTerminal {
  return new SessionTerminal(
    journal,
    keyId,
    { cols: 40, rows: 5 },
    { resize: () => undefined, asked: () => undefined },
  );
}

function write(journal: Journal, text: string): void {
  journal.append("stdout", Buffer.from(text));
}

/** Numbered lines of 32 bytes each. */
function lines(first: number, count: number): string {
  return Array.from({ length: count }, (_, index) => `line ${first + index} `.padEnd(30, "."))
    .join("\r\n")
    .concat("\r\n");
}

test("what was not looked at for long is looked at from a whole line on, and said to be cut", async () => {
  const journal = newJournal();
  const count = (6 * MiB) / 32;
  for (let first = 0; first < count; first += 1024) write(journal, lines(first, 1024));
  const { text, truncated, offset } = await terminalOf(journal).history(0);
  expect(offset).toBe(BigInt(6 * MiB));
  expect(truncated).toBe(true);
  const shown = text.split("\n");
  expect(shown.at(-1)).toBe(`line ${count - 1} `.padEnd(30, "."));
  expect(shown.every((line) => /^line \d+ \.+$/.test(line))).toBe(true);
});

test("where it is cut, half a line is left out, unless there are only half lines", async () => {
  const bar = "0123456789\r".repeat((5 * MiB) / 11);
  const soon = newJournal();
  // The cut lies 30,000 bytes before the end of the bar; what follows shows nothing.
  write(soon, `${bar}\r\n`);
  for (let rest = 4 * MiB - 30_000; rest > 0; rest -= 3_000) write(soon, "\x1b[m".repeat(1_000));
  write(soon, "whole");
  expect((await terminalOf(soon).history(0)).text).toBe("whole");

  const never = newJournal();
  write(never, bar);
  write(never, "\x1b[2J\x1b[2;3Hfull-screen");
  expect((await terminalOf(never).screen()).lines[1]).toBe("  full-screen");
});

test("promise 3: output that the journal has dropped is said to be gone, and the rest is whole", async () => {
  const journal = newJournal(256 * 1024);
  const terminal = terminalOf(journal);
  write(journal, "early\r\n");
  expect(await terminal.history(0)).toEqual({ text: "early", truncated: false, offset: 7n });
  for (let first = 0; first < 32_768; first += 1024) write(journal, lines(first, 1024));
  const { text, truncated } = await terminal.history(0);
  expect(truncated).toBe(true);
  expect(text.split("\n").every((line) => /^line \d+ \.+$/.test(line))).toBe(true);
  expect(text).toContain("line 32767 ");
});

test("promise 9: a history has so many lines, and says that others are gone", async () => {
  const journal = newJournal();
  write(journal, lines(0, 20_000));
  const { text, truncated } = await terminalOf(journal).history(0);
  expect(truncated).toBe(true);
  expect(text.split("\n")).toHaveLength(10_004);
  expect(text.split("\n").at(-1)).toMatch(/^line 19999 \.+$/);
});

test("output is seen at the size that the terminal had when it came, asked at the time or later", async () => {
  const journal = newJournal();
  const asked = terminalOf(journal);
  const later = terminalOf(journal);
  const steps = [
    ["\x1b[20G20 ", { cols: 20, rows: 5 }],
    ["\x1b[30Gedge\r\n", { cols: 30, rows: 4 }],
    ["\x1b[99Gx", { cols: 30, rows: 4 }],
  ] as const;
  for (const [text, size] of steps) {
    write(journal, text);
    await asked.screen();
    for (const terminal of [asked, later]) terminal.resize(size);
  }
  const atOnce = await asked.screen();
  // Its own emulator, which has seen nothing yet.
  await crowdOut();
  expect(await later.screen()).toEqual(atOnce);
  expect(atOnce.size).toEqual({ cols: 30, rows: 4 });
});

test("many terminals can be asked at once, more than are kept, again and again", async () => {
  const journals = Array.from({ length: 20 }, () => newJournal());
  for (let round = 0; round < 3; round += 1) {
    for (const [index, journal] of journals.entries()) write(journal, `${index} in round ${round}\r\n`);
    const screens = await Promise.all(journals.map((journal) => terminalOf(journal).screen()));
    expect(screens.map(({ lines: shown }) => shown[round])).toEqual(
      journals.map((_, index) => `${index} in round ${round}`),
    );
  }
});

test("a question that fails is its asker's alone", async () => {
  const journal = newJournal();
  write(journal, "fine");
  const failing = emulators.show({ keyId: "key", journal, sizes: [] }, () => {
    throw new Error("mine");
  });
  await expect(failing).rejects.toThrow("mine");
  expect((await terminalOf(journal).screen()).lines[0]).toBe("fine");
});

/** Others are asked, so that no emulator of before is left. */
async function crowdOut(): Promise<void> {
  for (let count = 0; count < 10; count += 1) await terminalOf(newJournal()).screen();
}
