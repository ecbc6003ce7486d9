import { existsSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import { CmdopError } from "@cmdop/proto";
import { DiskDatabase, type Prepare } from "@cmdop/proto/disk-database";
import type { Losses } from "./losses.ts";

/** SQLite's codes for a file that is damaged, or none of its own. */
const DAMAGED = new Set([11, 26]);

/** Its code for a statement that does not fit the tables: they are another version's. */
const DOES_NOT_FIT = 1;

/**
 * Opens the database; one that is damaged, or that another version made, is set aside, since a machine that
 * nobody can reach is worse than one that has forgotten what it did.
 */
export function openDatabase(
  file: string,
  schema: string,
  onTrouble: (error: unknown) => void,
  losses: Losses,
): DiskDatabase {
  // NORMAL survives the agent's death at any moment; after a power failure nothing of before runs anyway.
  const options = { file, schema, synchronous: "NORMAL", onTrouble } as const;
  const damage = emptiness(file) ?? damageOf(file, schema, () => new DiskDatabase(options));
  if (damage instanceof DiskDatabase) return damage;
  const files = ["", "-wal", "-shm"].map((suffix) => file + suffix).filter((path) => existsSync(path));
  losses.setAside(files, `the list of all earlier jobs (${damage})`);
  return new DiskDatabase(options);
}

/** A database of ours is never empty: it was emptied, or never finished. */
function emptiness(file: string): string | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size === 0 ? "it was empty" : undefined;
}

/** The reason told for tables with other columns than this version's. */
const OTHER_VERSION = "it was made by another version of cmdop";

/** The tables and indexes of a database, as they were defined. */
function tablesOf(prepare: Prepare): unknown[] {
  return prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").all();
}

function tablesOfSchema(schema: string): unknown[] {
  const fresh = new DatabaseSync(":memory:");
  try {
    fresh.exec(schema);
    return tablesOf((sql) => fresh.prepare(sql));
  } finally {
    fresh.close();
  }
}

/** The database, or how it is damaged. @throws CmdopError InvalidArgument where it can't be used for another reason */
function damageOf(file: string, schema: string, open: () => DiskDatabase): DiskDatabase | string {
  let database: DiskDatabase | undefined;
  try {
    database = open();
    if (!database.isReadable) return database;
    const [found] = database.read((prepare) => prepare("PRAGMA quick_check(1)").all());
    const isWhole = found?.quick_check === "ok";
    if (isWhole && isDeepStrictEqual(database.read(tablesOf), tablesOfSchema(schema))) return database;
    database.close();
    return isWhole ? OTHER_VERSION : String(found?.quick_check);
  } catch (thrown) {
    database?.close();
    const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
    const code = cause instanceof Error && "errcode" in cause ? Number(cause.errcode) & 0xff : 0;
    if (DAMAGED.has(code)) return String(cause);
    if (code === DOES_NOT_FIT) return OTHER_VERSION;
    throw new CmdopError("InvalidArgument", `The agent's jobs in ${file} can't be used: ${String(thrown)}.`, {
      cause: thrown,
      next: "Check that no other agent uses this home, and that it can be written.",
    });
  }
}
