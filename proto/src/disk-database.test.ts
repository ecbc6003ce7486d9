import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, rmdirSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { isDiskTrouble } from "./disk.ts";
import { DiskDatabase } from "./disk-database.ts";

const SCHEMA = "CREATE TABLE IF NOT EXISTS words (word TEXT PRIMARY KEY) STRICT";

let directory: string;
let file: string;
let troubles: unknown[];

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), "cmdop-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", directory]);
  file = path.join(directory, "words.db");
  troubles = [];
});
afterEach(() => {
  execFileSync("umount", ["-l", directory]);
  rmdirSync(directory);
});

const open = () =>
  new DiskDatabase({
    file,
    schema: SCHEMA,
    synchronous: "NORMAL",
    onTrouble: (error) => troubles.push(error),
  });

const add = (database: DiskDatabase, word: string) =>
  database.write((prepare) => prepare("INSERT INTO words VALUES (?)").run(word));

const words = (database: DiskDatabase) =>
  database.read((prepare) => prepare("SELECT word FROM words ORDER BY word").all()).map(({ word }) => word);

const remount = (how: "ro" | "rw") => execFileSync("mount", ["-o", `remount,${how}`, directory]);

/** Leaves the files as a killed process does: the newest data are only in the log. */
function die(database: DiskDatabase): void {
  for (const name of [file, `${file}-wal`]) copyFileSync(name, `${name}.kept`);
  database.close();
  for (const name of [file, `${file}-wal`]) copyFileSync(`${name}.kept`, name);
}

it("on a read-only disk what a dead process wrote last is read; nothing is written until the disk takes it", () => {
  const first = open();
  add(first, "one");
  die(first);
  expect(existsSync(`${file}-wal`)).toBe(true);
  remount("ro");
  const database = open();
  expect(words(database)).toEqual(["one"]);
  expect(troubles).toHaveLength(1);
  expect(() => add(database, "two")).toThrowError(
    expect.objectContaining({ message: expect.stringContaining(`${file}: its disk is read-only (EROFS)`) }),
  );
  expect(database.retry()).toBe(false);
  expect(words(database)).toEqual(["one"]);
  remount("rw");
  expect(database.retry()).toBe(true);
  add(database, "two");
  expect(words(database)).toEqual(["one", "two"]);
  database.close();
});

it("an error inside a transaction is told as it is, and nothing of the transaction is left", () => {
  const database = open();
  const both = () =>
    database.transaction((prepare) => {
      prepare("INSERT INTO words VALUES (?)").run("one");
      prepare("INSERT INTO words VALUES (?)").run("x".repeat(8 * 1024 * 1024));
    });
  let thrown: unknown;
  try {
    both();
  } catch (error) {
    thrown = error;
  }
  expect(isDiskTrouble(thrown)).toBe(true);
  expect(String(thrown)).toContain(`Can't write ${file}: the disk is full`);
  expect(words(database)).toEqual([]);
  add(database, "two");
  database.close();
});

it("another process that has it is said to have it, and is no trouble of the disk", () => {
  const database = open();
  expect(open).toThrowError("Another process runs here");
  expect(troubles).toEqual([]);
  database.close();
});
