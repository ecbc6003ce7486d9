import { chmodSync, existsSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { databaseError, isDiskTrouble } from "./disk.ts";
import { CmdopError } from "./errors/cmdop-error.ts";

/** How long a start waits for another process on the same file to let go, in milliseconds. */
const BUSY_TIMEOUT_MS = 1_000;

/** SQLite's codes after which a connection is good for nothing more: its file is read-only, its disk failed, or it can't be opened. */
const BROKEN = [8, 10, 14];

/** How a database is opened. */
export interface DiskDatabaseOptions {
  readonly file: string;
  /** Creates what is missing, at every start. */
  readonly schema: string;
  /** FULL outlives the power, NORMAL the process. */
  readonly synchronous: "FULL" | "NORMAL";
  /** Told of a disk that takes nothing: see `blocked`. */
  readonly onTrouble: (error: unknown) => void;
}

/** Prepares a statement, or finds the one that was prepared before. */
export type Prepare = (sql: string) => StatementSync;

/** An open connection with what was prepared on it. */
interface Connection {
  readonly db: DatabaseSync;
  readonly prepare: Prepare;
}

/**
 * A SQLite file for one process at a time, which its lock makes sure of. On a
 * disk that takes nothing (full, read-only, broken) it can still be read, and
 * every error says which file it is and what the disk said.
 */
export class DiskDatabase {
  readonly #options: DiskDatabaseOptions;
  #connection: Connection | undefined;
  #blocked: CmdopError | undefined;
  #isClosed = false;

  /** @throws what SQLite says, where that is not the disk's doing */
  constructor(options: DiskDatabaseOptions) {
    this.#options = options;
    try {
      this.#connection = connectionOf(openForWriting(options));
    } catch (thrown) {
      const why = databaseError(thrown, "write", options.file);
      if (!isDiskTrouble(why)) throw thrown;
      this.#block(why);
      this.#openForReading();
    }
  }

  /** Why nothing can be written now; undefined where it can, and nobody else can have the file. */
  get blocked(): CmdopError | undefined {
    return this.#blocked;
  }

  /** Whether anything can be read. */
  get isReadable(): boolean {
    return this.#connection !== undefined;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Reads. @throws CmdopError that names the file */
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

  /** Writes, with one statement. @throws CmdopError that names the file */
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

  /** Writes, with several statements, all or none. @throws CmdopError that names the file */
  transaction<T>(work: (prepare: Prepare) => T): T {
    return this.write((prepare) => {
      prepare("BEGIN IMMEDIATE").run();
      try {
        const result = work(prepare);
        prepare("COMMIT").run();
        return result;
      } catch (thrown) {
        // A disk that is full or broken has ended it already.
        if (this.#connection?.db.isTransaction) prepare("ROLLBACK").run();
        throw thrown;
      }
    });
  }

  /** Opens the file anew where nothing could be written; true where it can be, then or anyway. */
  retry(): boolean {
    if (this.#blocked === undefined || this.#isClosed) return true;
    const before = this.#connection;
    try {
      // While it is open for writing, its lock is in the way.
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

  /** Closes it; once more does nothing. */
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
    // Exclusive: another process would work from a memory of its own.
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
 * Opens a database of which no file can be made or locked. What was not yet put
 * from its log (-wal) into the database is read from there: without locks SQLite
 * does, and makes nothing. Where there is no log, even that would make one,
 * unless it is told that nothing changes.
 */
function openForReading(file: string): DatabaseSync {
  const how = existsSync(`${file}-wal`) ? "mode=ro&vfs=unix-none" : "mode=ro&immutable=1";
  const db = new DatabaseSync(new URL(`${pathToFileURL(file)}?${how}`), { readOnly: true });
  try {
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    // Opening reads nothing yet.
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
