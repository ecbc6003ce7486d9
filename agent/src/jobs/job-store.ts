import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { CmdopError } from "@cmdop/proto";
import { z } from "zod";
import type { JobIdentity } from "./job.ts";
import type { FileFacts } from "./journal/journal-file.ts";
import { type Outcome, outcomeSchema } from "./outcome.ts";

/** How long a start waits for another agent on the same state to let go, in milliseconds. */
const BUSY_TIMEOUT_MS = 1_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, request_hash TEXT NOT NULL, summary TEXT NOT NULL,
    started_at_ms REAL NOT NULL,
    ended_at_ms REAL, outcome TEXT, output_start INTEGER, output_end INTEGER, file_bytes INTEGER,
    UNIQUE (key_id, id)
  ) STRICT;
`;

const jobRow = z.object({
  number: z.int(),
  key_id: z.string(),
  id: z.string(),
  kind: z.enum(["exec", "session", "run"]),
  request_hash: z.string(),
  summary: z.string(),
  started_at_ms: z.number(),
  ended_at_ms: z.number().nullable(),
  outcome: z.string().nullable(),
  output_start: z.bigint().nullable(),
  output_end: z.bigint().nullable(),
  file_bytes: z.int().nullable(),
});

/** A job's place in the store. What can't be written is tried again (see `retry`); nothing throws. */
export interface JobRecord {
  /** Where its output goes. */
  readonly directory: string;
  /** Writes down how and when it ended, and what there is of its output. */
  ended(endedAtMs: number, outcome: Outcome, facts: FileFacts): void;
  /** Writes down that its output is gone. */
  released(): void;
  /** Forgets the job: its id could run again. */
  forget(): void;
}

/** A job of an earlier life of the agent. */
export interface StoredJob {
  readonly identity: JobIdentity;
  readonly startedAtMs: number;
  readonly record: JobRecord;
  /** Undefined where the agent ended before the job did. */
  readonly end:
    | { readonly endedAtMs: number; readonly outcome: Outcome; readonly facts: FileFacts }
    | undefined;
}

/**
 * Which jobs there were, on disk: what makes a job run at most once, also over a
 * crash of the agent. One SQLite file, and beside it a directory of output a job.
 */
export class JobStore {
  readonly #outputDirectory: string;
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #end: StatementSync;
  readonly #release: StatementSync;
  readonly #delete: StatementSync;
  readonly #onTrouble: (error: unknown) => void;
  /** What could not be written: at most one end, one release and one deletion a job. */
  #unwritten: (() => void)[] = [];

  /** `onTrouble` is told what can't be written, and why. @throws CmdopError InvalidArgument where the store can't be used */
  constructor(directory: string, onTrouble: (error: unknown) => void) {
    this.#onTrouble = onTrouble;
    this.#outputDirectory = join(directory, "output");
    mkdirSync(this.#outputDirectory, { recursive: true, mode: 0o700 });
    this.#db = openDatabase(join(directory, "jobs.db"), onTrouble);
    this.#insert = this.#db.prepare(
      "INSERT INTO jobs (key_id, id, kind, request_hash, summary, started_at_ms) VALUES (?, ?, ?, ?, ?, ?)",
    );
    this.#end = this.#db.prepare(
      "UPDATE jobs SET ended_at_ms = ?, outcome = ?, output_start = ?, output_end = ?, file_bytes = ? WHERE number = ?",
    );
    this.#release = this.#db.prepare(
      "UPDATE jobs SET output_start = output_end, file_bytes = 0 WHERE number = ?",
    );
    this.#delete = this.#db.prepare("DELETE FROM jobs WHERE number = ?");
  }

  /** Writes a job down before it begins; undefined where that can't be done (a full disk). */
  begin({ keyId, id, kind, requestHash, summary }: JobIdentity, startedAtMs: number): JobRecord | undefined {
    try {
      const { lastInsertRowid } = this.#insert.run(keyId, id, kind, requestHash, summary, startedAtMs);
      return this.#record(Number(lastInsertRowid));
    } catch (error) {
      this.#onTrouble(error);
      return undefined;
    }
  }

  /** What of the file system the output may take, in bytes: a share of its size. */
  capacityBytes(share: number): number {
    const { bsize, blocks } = statfsSync(this.#outputDirectory);
    return Math.floor(bsize * blocks * share);
  }

  /** The jobs of earlier lives, the first to start first. What there is of jobs that nobody knows is deleted. */
  restore(): StoredJob[] {
    const select = this.#db.prepare("SELECT * FROM jobs ORDER BY number");
    select.setReadBigInts(true);
    const rows = select.all().map(parseRow);
    const known = new Set(rows.map(({ number }) => String(number)));
    for (const name of readdirSync(this.#outputDirectory)) {
      if (!known.has(name)) rmSync(join(this.#outputDirectory, name), { recursive: true, force: true });
    }
    return rows.map((row) => this.#storedJob(row));
  }

  /** Writes what could not be written before, as far as it can be now. */
  retry(): void {
    const unwritten = this.#unwritten;
    this.#unwritten = [];
    for (const act of unwritten) this.#write(act);
  }

  /** Closes the store; once more does nothing. */
  close(): void {
    if (!this.#db.isOpen) return;
    this.retry();
    this.#db.close();
  }

  #record(number: number): JobRecord {
    return {
      directory: join(this.#outputDirectory, String(number)),
      ended: (endedAtMs, outcome, { start, end, bytes }) => {
        this.#write(() => this.#end.run(endedAtMs, JSON.stringify(outcome), start, end, bytes, number));
      },
      released: () => this.#write(() => this.#release.run(number)),
      forget: () => this.#write(() => this.#delete.run(number)),
    };
  }

  #write(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#unwritten.push(act);
      this.#onTrouble(error);
    }
  }

  #storedJob(row: z.infer<typeof jobRow>): StoredJob {
    const { ended_at_ms: endedAtMs, outcome, output_start, output_end, file_bytes } = row;
    return {
      identity: {
        kind: row.kind,
        id: row.id,
        keyId: row.key_id,
        requestHash: row.request_hash,
        summary: row.summary,
      },
      startedAtMs: row.started_at_ms,
      record: this.#record(row.number),
      end:
        endedAtMs === null || outcome === null
          ? undefined
          : {
              endedAtMs,
              outcome: outcomeSchema.parse(JSON.parse(outcome)),
              facts: { start: output_start ?? 0n, end: output_end ?? 0n, bytes: file_bytes ?? 0 },
            },
    };
  }
}

/** SQLite gives every integer as a bigint here, since offsets may need it. */
function parseRow(row: Record<string, SQLOutputValue>): z.infer<typeof jobRow> {
  return jobRow.parse({
    ...row,
    number: Number(row.number),
    file_bytes: row.file_bytes === null ? null : Number(row.file_bytes),
  });
}

/** SQLite's codes for a file that is damaged, or none of its own. */
const DAMAGED = new Set([11, 26]);

/**
 * Opens the database; one that is damaged is set aside, since a machine that
 * nobody can reach is worse than one that has forgotten what it did.
 */
function openDatabase(file: string, onTrouble: (error: unknown) => void): DatabaseSync {
  try {
    return openOnce(file);
  } catch (thrown) {
    const isDamaged = thrown instanceof Error && "errcode" in thrown && DAMAGED.has(Number(thrown.errcode));
    if (!isDamaged) {
      throw new CmdopError(
        "InvalidArgument",
        `The agent's jobs in ${file} can't be used: ${String(thrown)}.`,
        {
          cause: thrown,
          next: "Check that no other agent uses this home, and that it can be written.",
        },
      );
    }
    const aside = `${file}.damaged`;
    renameSync(file, aside);
    for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
    onTrouble(
      new Error(`${file} is damaged and was set aside as ${aside}: earlier jobs are forgotten`, {
        cause: thrown,
      }),
    );
    return openOnce(file);
  }
}

function openOnce(file: string): DatabaseSync {
  const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    // NORMAL survives the agent's death at any moment; after a power failure nothing of before runs anyway.
    db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    chmodSync(file, 0o600);
    db.exec(SCHEMA);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
