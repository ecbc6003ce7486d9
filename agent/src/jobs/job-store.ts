import { existsSync, mkdirSync, readdirSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import { CmdopError, diskError, isDiskTrouble, refusalOf } from "@cmdop/proto";
import type { DiskDatabase, Prepare } from "@cmdop/proto/disk-database";
import { z } from "zod";
import type { JobIdentity } from "./job.ts";
import { openDatabase } from "./job-database.ts";
import type { FileFacts } from "./journal/journal-file.ts";
import { Losses } from "./losses.ts";
import { type Outcome, outcomeSchema } from "./outcome.ts";
import { type Birth, birthSchema, type JobTrace, traceOf } from "./process/job-trace.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key_id TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, request_hash TEXT NOT NULL, summary TEXT NOT NULL,
    started_at_ms REAL NOT NULL, mark TEXT NOT NULL, birth TEXT,
    ended_lived_ms REAL, outcome TEXT, output_start INTEGER, output_end INTEGER, file_bytes INTEGER,
    UNIQUE (key_id, id)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS lived (one INTEGER PRIMARY KEY CHECK (one = 1), ms REAL NOT NULL) STRICT;
`;

/** How often it is written down how long the agent has lived, in milliseconds: a crash forgets so much of it. */
const LIVED_WRITE_INTERVAL_MS = 60_000;

const INSERT =
  "INSERT INTO jobs (key_id, id, kind, request_hash, summary, started_at_ms, mark) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";

const BORN = "UPDATE jobs SET birth = ? WHERE number = ?";

const END =
  "UPDATE jobs SET ended_lived_ms = ?, outcome = ?, output_start = ?, output_end = ?, file_bytes = ? WHERE number = ?";

const RELEASE = "UPDATE jobs SET output_start = output_end, file_bytes = 0 WHERE number = ?";

const DELETE = "DELETE FROM jobs WHERE number = ?";

const SELECT = "SELECT * FROM jobs ORDER BY number";

/** Undefined, which no schema takes, where it is none. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const jobRow = z.object({
  number: z.int(),
  key_id: z.string(),
  id: z.string(),
  kind: z.enum(["exec", "session", "run"]),
  request_hash: z.string(),
  summary: z.string(),
  started_at_ms: z.number(),
  mark: z.string(),
  birth: z.string().transform(fromJson).pipe(birthSchema).nullable(),
  ended_lived_ms: z.number().nullable(),
  outcome: z.string().transform(fromJson).pipe(outcomeSchema).nullable(),
  output_start: z.bigint().nullable(),
  output_end: z.bigint().nullable(),
  file_bytes: z.int().nullable(),
});

const livedRow = z.object({ ms: z.number() });

/** A job's place in the store. What can't be written is tried again (see `retry`); nothing throws. */
export interface JobRecord {
  /** Where its output goes. */
  readonly directory: string;
  /** Writes down its first process. */
  born(birth: Birth): void;
  /** Writes down how it ended, that it did so now, and what there is of its output. */
  ended(outcome: Outcome, facts: FileFacts): void;
  /** Writes down that its output is gone. */
  released(): void;
  /** Forgets the job: its id could run again. */
  forget(): void;
}

/** A job of an earlier life of the agent. */
export interface StoredJob {
  readonly identity: JobIdentity;
  readonly startedAtMs: number;
  readonly trace: JobTrace;
  readonly record: JobRecord;
  /** Undefined where the agent ended before the job did. */
  readonly end:
    | {
        /** How long ago it ended, in milliseconds: only time counts in which an agent ran, since a clock of days may be wrong. */
        readonly agoMs: number;
        readonly outcome: Outcome;
        readonly facts: FileFacts;
      }
    | undefined;
}

/**
 * Which jobs there were, on disk: what makes a job run at most once, also over a
 * crash of the agent. One SQLite file, and beside it a directory of output a job.
 * On a disk that takes nothing it is only read; what is to be written waits.
 */
export class JobStore {
  readonly #directory: string;
  readonly #outputDirectory: string;
  readonly #database: DiskDatabase;
  readonly #onTrouble: (error: unknown) => void;
  readonly #losses: Losses;
  /** What could not be written: at most one birth, one end, one release and one deletion a job. */
  #unwritten: (() => void)[] = [];
  /** How long the agent lived before this life, in milliseconds, as far as it is known. */
  #livedBeforeMs = 0;
  readonly #bornAtMs = performance.now();
  #livedWrittenAtMs = Number.NEGATIVE_INFINITY;

  /**
   * `onTrouble` is told what can't be written, and why; `onLoss`, what is not known any more.
   * @throws CmdopError InvalidArgument where the store can't be used
   */
  constructor(
    directory: string,
    onTrouble: (error: unknown) => void,
    onLoss: (what: string) => void = (what) => onTrouble(new Error(what)),
  ) {
    this.#onTrouble = onTrouble;
    this.#losses = new Losses(directory, onLoss);
    this.#directory = directory;
    this.#outputDirectory = join(directory, "output");
    this.#makeDirectories();
    this.#database = openDatabase(join(directory, "jobs.db"), SCHEMA, onTrouble, this.#losses);
  }

  /** Why nothing can be written now; undefined where it can, and no other agent can have the store. */
  get blocked(): CmdopError | undefined {
    return this.#database.blocked;
  }

  /**
   * Writes a job down before it begins; undefined where that can't be done (a full disk).
   * @throws CmdopError JobConflict where it was begun in an earlier life of which nothing could be read
   */
  begin(
    { keyId, id, kind, requestHash, summary }: JobIdentity,
    startedAtMs: number,
    mark: string,
  ): JobRecord | undefined {
    const values = [keyId, id, kind, requestHash, summary, startedAtMs, mark];
    const added = this.#tried(() => this.#database.write((prepare) => prepare(INSERT).run(...values)));
    if (added === undefined) return undefined;
    if (added.changes > 0) return this.#record(Number(added.lastInsertRowid));
    throw new CmdopError(
      "JobConflict",
      `Job ${id} was started before; when this agent began, its disk did not let it read of that.`,
      { next: "Restart the agent, and ask for the job by its id: it is not run twice." },
    );
  }

  /** What of the file system the output may take, in bytes: a share of its size. */
  capacityBytes(share: number): number {
    const there = existsSync(this.#outputDirectory) ? this.#outputDirectory : dirname(this.#directory);
    const { bsize, blocks } = statfsSync(there);
    return Math.floor(bsize * blocks * share);
  }

  /** The jobs of earlier lives, the first to start first. Output of jobs that nobody knows is set aside, and said. */
  restore(): StoredJob[] {
    const rows = this.#tried(() => this.#database.read(selectAll)) ?? [];
    this.#setAsideAllBut(new Set(rows.map(({ number }) => String(number))));
    const good = rows.flatMap((row) => this.#readRow(row) ?? []);
    const ends = good.map(({ ended_lived_ms }) => ended_lived_ms ?? 0);
    this.#livedBeforeMs = ends.reduce(
      (one, other) => Math.max(one, other),
      this.#tried(() => this.#readLived()) ?? 0,
    );
    return good.map((row) => this.#storedJob(row));
  }

  /** Writes down, once a minute, how long the agent has lived: what is kept for some time is kept for so much of that. */
  noteLived(): void {
    const now = performance.now();
    if (now - this.#livedWrittenAtMs < LIVED_WRITE_INTERVAL_MS || this.#database.blocked !== undefined)
      return;
    this.#livedWrittenAtMs = now;
    const { livedMs } = this;
    this.#tried(() =>
      this.#database.write((prepare) =>
        prepare("INSERT INTO lived VALUES (1, ?) ON CONFLICT DO UPDATE SET ms = excluded.ms").run(livedMs),
      ),
    );
  }

  /** How long this agent has lived, with its earlier lives, in milliseconds. */
  get livedMs(): number {
    return this.#livedBeforeMs + performance.now() - this.#bornAtMs;
  }

  #readLived(): number {
    const row = this.#database.read((prepare) => prepare("SELECT ms FROM lived").get());
    return row === undefined ? 0 : livedRow.parse(row).ms;
  }

  /** Writes what could not be written before, as far as it can be now; true where nothing is left. */
  retry(): boolean {
    if (!this.#database.retry()) return false;
    const unwritten = this.#unwritten;
    this.#unwritten = [];
    for (const act of unwritten) this.#write(act);
    return this.#unwritten.length === 0;
  }

  /** Closes the store; once more does nothing. */
  close(): void {
    if (this.#database.isClosed) return;
    this.retry();
    this.#livedWrittenAtMs = Number.NEGATIVE_INFINITY;
    this.noteLived();
    this.#database.close();
  }

  #makeDirectories(): void {
    try {
      mkdirSync(this.#outputDirectory, { recursive: true, mode: 0o700 });
    } catch (thrown) {
      // Node says ENOENT of a read-only disk here.
      const error = diskError(refusalOf(dirname(this.#directory)) ?? thrown, "make", this.#outputDirectory);
      if (!isDiskTrouble(error)) throw error;
      this.#onTrouble(error);
    }
  }

  /** Where nothing could be read, nothing is known to be nobody's. */
  #setAsideAllBut(known: ReadonlySet<string>): void {
    if (this.#database.blocked !== undefined) return;
    this.#tried(() => {
      const unknown = readdirSync(this.#outputDirectory).filter((name) => !known.has(name));
      const paths = unknown.map((name) => join(this.#outputDirectory, name));
      this.#losses.setAside(paths, `${unknown.length} jobs of which nothing but their output is there`);
    });
  }

  /** Undefined where it is damaged: its id is still taken, and its output stays where it is. */
  #readRow(row: Record<string, SQLOutputValue>): z.infer<typeof jobRow> | undefined {
    try {
      return parseRow(row);
    } catch (error) {
      this.#losses.say(`What is known of job ${String(row.id)} is damaged, and not used: ${String(error)}`);
      return undefined;
    }
  }

  #tried<T>(act: () => T): T | undefined {
    try {
      return act();
    } catch (error) {
      this.#onTrouble(error);
      return undefined;
    }
  }

  #record(number: number): JobRecord {
    return new Row(number, this.#outputDirectory, this.#rows);
  }

  readonly #rows: RowStore = {
    update: (sql, ...values) =>
      this.#write(() => this.#database.write((prepare) => prepare(sql).run(...values))),
    livedMs: () => this.livedMs,
  };

  #write(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#unwritten.push(act);
      this.#onTrouble(error);
    }
  }

  #storedJob(row: z.infer<typeof jobRow>): StoredJob {
    const { ended_lived_ms: endedMs, outcome, output_start, output_end, file_bytes } = row;
    return {
      identity: {
        kind: row.kind,
        id: row.id,
        keyId: row.key_id,
        requestHash: row.request_hash,
        summary: row.summary,
      },
      startedAtMs: row.started_at_ms,
      trace: traceOf(row.mark, row.birth, endedMs !== null),
      record: this.#record(row.number),
      end:
        endedMs === null || outcome === null
          ? undefined
          : {
              agoMs: Math.max(0, this.livedMs - endedMs),
              outcome,
              facts: { start: output_start ?? 0n, end: output_end ?? 0n, bytes: file_bytes ?? 0 },
            },
    };
  }
}

/** What all rows share. */
interface RowStore {
  readonly update: (sql: string, ...values: SQLInputValue[]) => void;
  readonly livedMs: () => number;
}

/** Few words of memory: as many of these as jobs are remembered. */
class Row implements JobRecord {
  readonly #number: number;
  readonly #outputDirectory: string;
  readonly #store: RowStore;

  constructor(number: number, outputDirectory: string, store: RowStore) {
    this.#number = number;
    this.#outputDirectory = outputDirectory;
    this.#store = store;
  }

  get directory(): string {
    return join(this.#outputDirectory, String(this.#number));
  }

  born(birth: Birth): void {
    this.#store.update(BORN, JSON.stringify(birth), this.#number);
  }

  ended(outcome: Outcome, { start, end, bytes }: FileFacts): void {
    const { livedMs, update } = this.#store;
    update(END, livedMs(), JSON.stringify(outcome), start, end, bytes, this.#number);
  }

  released(): void {
    this.#store.update(RELEASE, this.#number);
  }

  forget(): void {
    this.#store.update(DELETE, this.#number);
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

function selectAll(prepare: Prepare): Record<string, SQLOutputValue>[] {
  const select = prepare(SELECT);
  select.setReadBigInts(true);
  return select.all();
}
