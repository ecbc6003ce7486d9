import { randomUUID } from "node:crypto";
import { closeSync, existsSync, mkdirSync, renameSync } from "node:fs";
import path from "node:path";
import { onAbort } from "@cmdop/kit";
import { diskError, isDiskTrouble, removeFile } from "../disk.ts";
import { CmdopError } from "../errors/cmdop-error.ts";
import { chainNext, chainStart, MAX_AUDIT_RECORD_BYTES } from "./chain.ts";
import {
  type ChainLine,
  chainFilesIn,
  createChainFile,
  type HashedRecord,
  isFileTooLarge,
  lineBytes,
  openChainFile,
  readHeader,
  readRecords,
  wholeLines,
  writeLines,
} from "./chain-file.ts";
import {
  CHAIN_LIMITS,
  type ChainBatch,
  type ChainLimits,
  type ChainLogOptions,
} from "./chain-log-options.ts";
import { type ChainEnd, type ChainFile, mark, startOf } from "./chain-marks.ts";
import { Reserve } from "./reserve.ts";
import { mendEnd, mendHeader } from "./torn-end.ts";
import { unavailable } from "./unavailable.ts";

export type { ChainBatch, ChainLimits, ChainLogOptions } from "./chain-log-options.ts";
export type { ChainEnd } from "./chain-marks.ts";

/** Payload bytes of one batch for a reader. */
const BATCH_BYTES = 256 * 1024;

/** Records of one batch: there would be very many tiny ones, and each costs its reader a hash. */
const BATCH_RECORDS = 2_048;

/**
 * An audit chain on disk: append-only files with one record a line. Everything is synchronous and passed to
 * the operating system, so that an appended record outlives this process; it is not synced to the disk, so a
 * power failure may lose the end. One process writes, in one directory.
 */
export class ChainLog {
  readonly chain: string;
  readonly #directory: string;
  readonly #limits: ChainLimits;
  readonly #onTrouble: (message: string) => void;
  readonly #files: ChainFile[] = [];
  readonly #waiting = new Set<() => void>();
  #end: ChainEnd;
  #fd: number | undefined;
  /** While the reserve is missing, records that are not urgent do not use the rest of the disk. */
  readonly #reserve: Reserve;

  private constructor({ directory, limits, onTrouble }: ChainLogOptions, chain?: string) {
    this.#directory = directory;
    this.#limits = { ...CHAIN_LIMITS, ...limits };
    this.#onTrouble = onTrouble ?? (() => undefined);
    const reserve = { file: path.join(directory, "reserve"), bytes: this.#limits.reserveBytes };
    this.#reserve = new Reserve({ ...reserve, onTrouble: this.#onTrouble });
    const names = chainFilesIn(directory);
    const found = names.sort().flatMap((name) => this.#found(path.join(directory, name)));
    const known = found[0]?.chain;
    if (known !== undefined && found.some((file) => file.chain !== (chain ?? known))) {
      throw new CmdopError("AuditBroken", `${directory} holds files of more than one audit chain.`);
    }
    this.chain = chain ?? known ?? randomUUID();
    this.#files.push(...found);
    this.#end = { seq: 0, hash: chainStart(this.chain) };
    const last = found.at(-1);
    if (last !== undefined) this.#end = this.#endOf(last);
    this.#reserve.lay();
  }

  /**
   * Opens or creates this machine's or relay's own chain. A torn last line is cut off, and files into which
   * somebody has written are set aside for a new chain. Both are reported, and nothing is deleted.
   */
  static open(options: ChainLogOptions): ChainLog {
    try {
      return new ChainLog(options);
    } catch (thrown) {
      if (!(thrown instanceof CmdopError) || thrown.code !== "AuditBroken") throw thrown;
      const aside = `${options.directory}.broken-${Date.now()}`;
      try {
        renameSync(options.directory, aside);
      } catch (failed) {
        throw diskError(failed, "set aside the broken audit chain in", options.directory);
      }
      options.onTrouble?.(`${thrown.message} It was moved to ${aside}, and a new chain begun.`);
      return new ChainLog(options);
    }
  }

  /** Opens or creates a copy of the chain with this id. */
  static openCopy({ chain, ...options }: ChainLogOptions & { readonly chain: string }): ChainLog {
    return new ChainLog(options, chain);
  }

  /** The end of the chain. */
  get head(): ChainEnd {
    return this.#end;
  }

  /** Seq of the oldest record that is kept; one more than the head's if there is none. */
  get first(): number {
    return this.#files[0]?.first ?? this.#end.seq + 1;
  }

  /** True if the reserve for those who repair a full disk exists; tries to make it. */
  get hasReserve(): boolean {
    return this.#reserve.lay();
  }

  /** The reason why there is no reserve, as of the last attempt. */
  get lacksReserve(): CmdopError | undefined {
    return this.#reserve.missing;
  }

  /** Size of the chain on disk, in bytes. */
  get bytes(): number {
    return this.#files.reduce((sum, file) => sum + file.bytes, 0);
  }

  /**
   * Appends a record; when it returns, the record outlives this process. `urgent`: may use the reserve if the
   * disk is full.
   * @throws CmdopError AuditUnavailable, and nothing was written
   */
  append(body: string, { urgent = false } = {}): ChainEnd {
    const bytes = Buffer.from(body);
    if (bytes.length > MAX_AUDIT_RECORD_BYTES || bytes.includes(0x0a)) {
      throw new CmdopError(
        "Internal",
        `An audit record is one line of at most ${MAX_AUDIT_RECORD_BYTES} bytes.`,
      );
    }
    try {
      if (!urgent) this.#reserve.check();
      this.#write(bytes, chainNext(this.#end.hash, bytes));
    } catch (thrown) {
      if (!urgent || !this.#reserve.spend(thrown)) throw unavailable(this.#directory, thrown);
      try {
        this.#write(bytes, chainNext(this.#end.hash, bytes));
      } catch (again) {
        throw unavailable(this.#directory, again);
      }
    }
    this.#wake();
    return this.#end;
  }

  /**
   * Appends records to a copy of a chain. The caller has checked them. Records that the original no longer
   * has are a gap in the copy, too.
   * @throws CmdopError AuditBroken if they do not follow, AuditUnavailable
   */
  appendCopy({ firstSeq, previousHash, records }: Omit<ChainBatch, "hashes">): void {
    if (
      firstSeq <= this.#end.seq ||
      (firstSeq === this.#end.seq + 1 && !same(previousHash, this.#end.hash))
    ) {
      throw new CmdopError(
        "AuditBroken",
        `Record ${firstSeq} of audit chain ${this.chain} does not follow record ${this.#end.seq} of its copy.`,
      );
    }
    const before = this.#end;
    try {
      if (firstSeq > this.#end.seq + 1) {
        this.#beginFile({ seq: firstSeq - 1, hash: previousHash });
        this.#end = { seq: firstSeq - 1, hash: previousHash };
      }
      this.#writeAll(records);
    } catch (thrown) {
      this.#leaveGap(before);
      throw unavailable(this.#directory, thrown);
    } finally {
      this.#wake();
    }
  }

  /** Reads the records after `after`, in batches. Dropped ones are a gap. @throws CmdopError AuditBroken */
  *read(after: number): Generator<ChainBatch> {
    const until = this.#end.seq;
    for (const file of [...this.#files]) {
      if (file.last <= after || !existsSync(file.path)) continue;
      const start = startOf(file, after);
      let seq = start.seq + 1;
      let previous = start.hash;
      let batch = { firstSeq: seq, previousHash: previous, records: empty(), hashes: empty() };
      let batchBytes = 0;
      let position = start.bytes;
      for (const { body, hash } of readRecords(file.path, start.bytes, file.bytes)) {
        if (seq > until) break;
        position += lineBytes(body);
        // A file from before this start has no marks yet: the next reader can begin here.
        mark({ ...file, bytes: position }, { seq, hash });
        if (seq > after) {
          if (batch.records.length === 0)
            batch = { firstSeq: seq, previousHash: previous, records: [], hashes: [] };
          batch.records.push(body);
          batch.hashes.push(hash);
          batchBytes += body.length;
          if (batchBytes >= BATCH_BYTES || batch.records.length >= BATCH_RECORDS) {
            yield batch;
            batch = { firstSeq: seq + 1, previousHash: hash, records: [], hashes: [] };
            batchBytes = 0;
          }
        }
        previous = hash;
        seq += 1;
      }
      if (batch.records.length > 0) yield batch;
    }
  }

  /** Waits until there is a record after `after`, or the signal aborts. */
  async waitFor(after: number, signal: AbortSignal): Promise<void> {
    while (this.#end.seq <= after && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      const stopListening = onAbort(signal, resolve);
      await promise;
      stopListening();
      this.#waiting.delete(resolve);
    }
  }

  close(): void {
    this.#closeFile();
    this.#wake();
  }

  /** Writes records with one system call for each file, not one for each record. */
  #writeAll(records: readonly Uint8Array[]): void {
    for (let from = 0; from < records.length; ) {
      const { file, fd } = this.#current();
      const some: HashedRecord[] = [];
      let { hash } = this.#end;
      let { bytes } = file;
      for (const body of records.slice(from)) {
        // A file takes at least one record, and no more once it is full.
        if (some.length > 0 && bytes >= this.#limits.fileBytes) break;
        hash = chainNext(hash, body);
        some.push({ hash, body });
        bytes += lineBytes(body);
      }
      from += some.length;
      let written: number;
      try {
        written = writeLines(fd, file.bytes, some);
      } catch (thrown) {
        // A failed disk may have kept a part: the next write opens the file anew and cuts it off.
        this.#closeFile();
        // Record by record, the next file takes what does not fit into this one.
        if (!isFileTooLarge(thrown)) throw thrown;
        for (const one of some) this.#write(one.body, one.hash);
        continue;
      }
      file.bytes = written;
      file.last += some.length;
      this.#end = { seq: file.last, hash };
      mark(file, this.#end);
    }
  }

  /** Returns the file for the next record, opened for writing. */
  #current(): { file: ChainFile; fd: number } {
    let file = this.#files.at(-1);
    if (file === undefined || file.bytes >= this.#limits.fileBytes) file = this.#beginFile(this.#end);
    this.#fd ??= openChainFile(file);
    return { file, fd: this.#fd };
  }

  #write(body: Uint8Array, hash: Uint8Array): void {
    const { file, fd } = this.#current();
    try {
      file.bytes = writeLines(fd, file.bytes, [{ hash, body }]);
    } catch (thrown) {
      // A failed disk may have kept a part of the write: the next write opens the file anew and cuts it off.
      this.#closeFile();
      // The file reached a limit on sizes: the next one takes the record, unless this one is empty.
      if (!isFileTooLarge(thrown) || file.last < file.first) throw thrown;
      this.#beginFile(this.#end);
      this.#write(body, hash);
      return;
    }
    file.last += 1;
    this.#end = { seq: file.last, hash };
    mark(file, this.#end);
  }

  #beginFile(after: ChainEnd): ChainFile {
    const first = after.seq + 1;
    const file = path.join(this.#directory, `${String(first).padStart(16, "0")}.chain`);
    // An earlier attempt to make it may have failed.
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    // Removes the remains of an attempt on a full disk.
    removeFile(file);
    createChainFile(file, { chain: this.chain, first, previous: after.hash });
    this.#closeFile();
    const { bytes } = readHeader(file);
    const begun = {
      path: file,
      first,
      previous: after.hash,
      headerBytes: bytes,
      last: first - 1,
      bytes,
      marks: [],
    };
    this.#files.push(begun);
    this.#drop();
    this.#reserve.lay();
    return begun;
  }

  /** Undoes a gap without a record after it: the copy would claim an end that it does not reach. */
  #leaveGap(before: ChainEnd): void {
    const last = this.#files.at(-1);
    if (last === undefined || last.last >= last.first || this.#end.seq === before.seq) return;
    this.#closeFile();
    this.#files.pop();
    this.#end = before;
    this.#tried(() => removeFile(last.path));
  }

  /** Deletes the oldest files beyond the bound. */
  #drop(): void {
    while (this.bytes > this.#limits.keptBytes && this.#files.length > 1) {
      const [oldest] = this.#files.splice(0, 1);
      if (oldest !== undefined) removeFile(oldest.path);
    }
  }

  #found(file: string): (ChainFile & { readonly chain: string })[] {
    let { whole } = wholeLines(file);
    if (whole === 0) {
      if (this.#tried(() => mendHeader(file, this.#onTrouble)) !== true) return [];
      ({ whole } = wholeLines(file));
    }
    const { chain, first, previous, bytes: headerBytes } = readHeader(file);
    return [{ chain, path: file, first, previous, headerBytes, last: first - 1, bytes: whole, marks: [] }];
  }

  /** Finds the end of every file, and the hash of the last record. */
  #endOf(last: ChainFile): ChainEnd {
    for (const [at, file] of this.#files.entries()) {
      const next = this.#files[at + 1];
      // A file of a copy may have ended earlier, before a gap; to a reader that makes no difference.
      if (next !== undefined) file.last = next.first - 1;
    }
    let end: ChainLine | undefined;
    for (const line of readRecords(last.path, last.headerBytes, last.bytes)) {
      end = line;
      last.last += 1;
    }
    let found = { seq: last.last, hash: end?.hash ?? last.previous };
    const torn = this.#tried(() => mendEnd(last, found.hash, this.#onTrouble));
    if (torn !== undefined) {
      last.last += 1;
      last.bytes = torn.bytes;
      found = { seq: last.last, hash: torn.hash };
    }
    mark(last, found);
    return found;
  }

  /** Does an optional repair; reports a failure of the disk. */
  #tried<T>(act: () => T): T | undefined {
    try {
      return act();
    } catch (thrown) {
      if (!isDiskTrouble(thrown)) throw thrown;
      this.#onTrouble(String(thrown));
      return undefined;
    }
  }

  #closeFile(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

const empty = (): Uint8Array[] => [];

function same(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
