import { chmodSync, existsSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { databaseError, isDiskTrouble } from "./disk.ts";
import { CmdopError } from "./errors/cmdop-error.ts";

/** Longest wait of a start for another process on the same file, in milliseconds. */
const BUSY_TIMEOUT_MS = 1_000;

/** SQLite's error code for a file that another process has locked. */
const BUSY = 5;

/**
 * SQLite's error codes after which a connection is unusable: its file is read-only, its disk failed, or it
 * can't be opened.
 */
const BROKEN = [8, 10, 14];

/** Options for opening a database. */
export interface DiskDatabaseOptions {
  readonly file: string;
  /** SQL that creates missing tables, run at every start. */
  readonly schema: string;
  /** FULL survives a power failure, NORMAL the end of the process. */
  readonly synchronous: "FULL" | "NORMAL";
  /** Called when the disk accepts no writes: see `blocked`. */
  readonly onTrouble: (error: unknown) => void;
}

/** Prepares a statement, or returns the one prepared before. */
export type Prepare = (sql: string) => StatementSync;

/** An open connection with its prepared statements. */
interface Connection {
  readonly db: DatabaseSync;
  readonly prepare: Prepare;
}

/**
 * A SQLite file for one process at a time, ensured by its lock. If the disk accepts no writes (full,
 * read-only, broken), it can still be read. Every error names the file and the disk's answer.
 */
export class DiskDatabase {
  readonly #options: DiskDatabaseOptions;
  #connection: Connection | undefined;
  #blocked: CmdopError | undefined;
  #isClosed = false;

  /** @throws CmdopError AlreadyExists where another process has the file; the error of SQLite, unless the disk causes it */
  constructor(options: DiskDatabaseOptions) {
    this.#options = options;
    try {
      this.#connection = connectionOf(openForWriting(options));
    } catch (thrown) {
      if (isBusy(thrown)) throw inUse(options.file, thrown);
      const why = databaseError(thrown, "write", options.file);
      if (!isDiskTrouble(why)) throw thrown;
      this.#block(why);
      this.#openForReading();
    }
  }

  /**
   * The reason why nothing can be written now; undefined if writing is possible, and then no other process
   * can have the file.
   */
  get blocked(): CmdopError | undefined {
    return this.#blocked;
  }

  /** True if the file can be read. */
  get isReadable(): boolean {
    return this.#connection !== undefined;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Runs reading work. @throws CmdopError that names the file */
  read<T>(work: (prepare: Prepare) => T): T {
    const { file } = this.#options;
    if (this.#connection === undefined) {
      throw this.#blocked ?? new CmdopError("Internal", `${file} is closed.`);
    }
    try {
      return work(this.#connection.prepare);
    } catch (thrown) {
      throw databaseError(thrown, "read", file);
    }
  }

  /** Runs writing work of one statement. @throws CmdopError that names the file */
  write<T>(work: (prepare: Prepare) => T): T {
    const { file } = this.#options;
    if (this.#blocked !== undefined) throw this.#blocked;
    if (this.#connection === undefined) throw new CmdopError("Internal", `${file} is closed.`);
    try {
      return work(this.#connection.prepare);
    } catch (thrown) {
      const why = databaseError(thrown, "write", file);
      if (isBroken(thrown) && isDiskTrouble(why)) this.#block(why);
      throw why;
    }
  }

  /** Runs writing work of several statements, all or none. @throws CmdopError that names the file */
  transaction<T>(work: (prepare: Prepare) => T): T {
    return this.write((prepare) => {
      prepare("BEGIN IMMEDIATE").run();
      try {
        const result = work(prepare);
        prepare("COMMIT").run();
        return result;
      } catch (thrown) {
        // A full or broken disk has ended the transaction already.
        if (this.#connection?.db.isTransaction) prepare("ROLLBACK").run();
        throw thrown;
      }
    });
  }

  /** Opens the file anew if nothing could be written; returns true if writing is possible now. */
  retry(): boolean {
    if (this.#blocked === undefined || this.#isClosed) return true;
    const before = this.#connection;
    try {
      // While it is open, its own lock is in the way.
      before?.db.close();
      this.#connection = undefined;
      this.#connection = connectionOf(openForWriting(this.#options));
      this.#blocked = undefined;
      return true;
    } catch (thrown) {
      this.#block(databaseError(thrown, "write", this.#options.file));
      this.#openForReading();
      return false;
    }
  }

  /** Closes the file; further calls do nothing. */
  close(): void {
    this.#isClosed = true;
    this.#connection?.db.close();
    this.#connection = undefined;
  }

  #block(why: CmdopError): void {
    this.#blocked = why;
    this.#options.onTrouble(why);
  }

  #openForReading(): void {
    const { file, onTrouble } = this.#options;
    if (!existsSync(file)) return;
    try {
      this.#connection = connectionOf(openForReading(file));
    } catch (thrown) {
      onTrouble(databaseError(thrown, "read", file));
    }
  }
}

function isBusy(thrown: unknown): boolean {
  return thrown instanceof Error && "errcode" in thrown && thrown.errcode === BUSY;
}

function inUse(file: string, cause: unknown): CmdopError {
  return new CmdopError("AlreadyExists", `Another process runs here: it has ${file} open.`, {
    cause,
    next: "End the other one first, or give this one a home of its own: CMDOP_HOME.",
  });
}

function connectionOf(db: DatabaseSync): Connection {
  const prepared = new Map<string, StatementSync>();
  return {
    db,
    prepare: (sql) => {
      const statement = prepared.get(sql) ?? db.prepare(sql);
      prepared.set(sql, statement);
      return statement;
    },
  };
}

function openForWriting({ file, schema, synchronous }: DiskDatabaseOptions): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    // Exclusive, because another process would have its own view of the data in memory.
    db.exec(
      `PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous};`,
    );
    chmodSync(file, 0o600);
    db.exec(schema);
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

/**
 * Opens a database on a disk where no file can be made or locked. Changes that are only in its log (-wal) are
 * read from there, which SQLite does without locks and without making files. If there is no log, even that
 * would make one, unless the file is declared immutable.
 */
function openForReading(file: string): DatabaseSync {
  const how = existsSync(`${file}-wal`) ? "mode=ro&vfs=unix-none" : "mode=ro&immutable=1";
  const db = new DatabaseSync(new URL(`${pathToFileURL(file)}?${how}`), { readOnly: true });
  try {
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    // Opening alone reads nothing.
    db.prepare("SELECT count(*) FROM sqlite_schema").get();
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

function isBroken(thrown: unknown): boolean {
  return thrown instanceof Error && "errcode" in thrown && BROKEN.includes(Number(thrown.errcode) & 0xff);
}
