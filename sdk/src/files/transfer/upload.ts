import { createHash, randomBytes } from "node:crypto";
import { within } from "@cmdop/kit";
import {
  CmdopError,
  FILE_CHUNK_BYTES,
  type FileEntry,
  FilesModeUse,
  mayHaveRun,
  visible,
} from "@cmdop/proto";
import { writtenOf } from "../file-info.ts";
import { methodOf } from "../method-of.ts";
import type { Machine } from "./machine.ts";
import { resumeName, sameHash, UPLOAD_BYTES } from "./names.ts";
import { Patience } from "./patience.ts";
import { Reader } from "./reader.ts";
import { DISCARD_WAIT_MS, KEEP_S } from "./retention.ts";
import type { Stretch } from "./stretch.ts";
import type { Content, PutOptions } from "./types.ts";

/**
 * Most times that the machine may have less than it said it had, which means that another process writes to
 * the same upload.
 */
const MAX_DISAGREEMENTS = 3;

/** The upload of one file to a machine: sent again from where it broke, until it is committed. */
export class Upload {
  readonly #machine: Machine;
  readonly #path: string;
  readonly #content: Content;
  readonly #options: PutOptions;
  readonly #upload: Uint8Array;
  readonly #stretch: Stretch;
  readonly #hash = createHash("sha256");
  /** Number of bytes in the hash. */
  #hashed = 0;
  #sha256: Uint8Array | undefined;
  #attempt = 0;
  /** Number of bytes that the last attempt has sent. */
  #sent = 0;
  /** True if some of the file may be on the machine. */
  #hasSent = false;
  #reader: Reader | undefined;
  /** True if an attempt that broke off may have committed the file. */
  #mayBeThere: boolean;

  /** `mayBeThere`: true if an earlier attempt, by another call, may have written the file. */
  constructor(
    machine: Machine,
    path: string,
    content: Content,
    options: PutOptions,
    stretch: Stretch,
    mayBeThere = false,
  ) {
    this.#mayBeThere = mayBeThere;
    this.#machine = machine;
    this.#path = path;
    this.#content = content;
    this.#options = options;
    this.#stretch = stretch;
    this.#upload = options.resume ? resumeName(content, path) : randomBytes(UPLOAD_BYTES);
  }

  async run(): Promise<Uint8Array> {
    try {
      const { sha256, written } = await this.#tryAll();
      if (this.#sha256 === undefined || (sha256 !== undefined && !sameHash(sha256, this.#sha256))) {
        throw wrong(this.#content);
      }
      if (written !== undefined) this.#options.written(writtenOf(written));
      return this.#sha256;
    } catch (thrown) {
      if (!this.#options.resume) await this.#discard();
      const isKnown = !this.#mayBeThere || this.#options.signal?.aborted === true;
      throw isKnown || CmdopError.from(thrown).code === "OutcomeUnknown" ? thrown : this.#unknown(thrown);
    } finally {
      this.#reader?.close();
    }
  }

  async #tryAll(): Promise<FileEntry> {
    const { files, caller } = this.#machine;
    const { signal, resume, turn } = this.#options;
    await turn.begin(signal);
    const patience = new Patience(this.#machine, signal, turn);
    let offset = resume ? (await patience.until(() => this.#partial(false))).size : 0;
    let disagreements = 0;
    for (;;) {
      this.#sent = 0;
      try {
        const call = await caller.options(methodOf("WriteStream"), { signal });
        const { entry, kept } = await files.writeStream(this.#requests(offset), call);
        if (entry !== undefined) {
          patience.moved();
          return entry;
        }
        if (kept === undefined || Number(kept) <= offset) {
          throw new CmdopError("LinkLost", "The machine's answer has neither an entry nor any progress.");
        }
        this.#stretch.arrived();
        turn.arrived();
        patience.moved();
        offset = Number(kept);
        continue;
      } catch (thrown) {
        const error = CmdopError.from(thrown);
        if (mayHaveRun(error) && this.#sha256 !== undefined) this.#mayBeThere = true;
        const differs = error.code === "FileChanged" && offset > 0 && this.#sha256 === undefined;
        if (differs) disagreements += 1;
        if (!differs || disagreements > MAX_DISAGREEMENTS) await patience.after(thrown);
        // A call that was refused for want of a connection has sent nothing.
        if (!mayHaveRun(error)) this.#sent = 0;
      }
      const found = await patience.until(() => this.#partial(false));
      if (found.entry !== undefined) return found.entry;
      if (this.#sha256 !== undefined && found.size === 0 && !this.#isRepeatable) throw this.#unknown();
      this.#stretch.broke(this.#sent, Math.max(0, found.size - offset));
      if (found.size > offset) patience.moved();
      offset = found.size;
    }
  }

  /**
   * True if the file may be written a second time. It may not if a first write that succeeded would then
   * refuse the second.
   */
  get #isRepeatable(): boolean {
    return this.#options.overwrite && this.#options.ifMatch === undefined;
  }

  /** Yields the messages of the next stretch, with the finish if it reaches the end. */
  async *#requests(offset: number) {
    const { passed } = this.#options;
    this.#attempt += 1;
    const attempt = this.#attempt;
    yield { header: this.#header(offset) };
    const end = offset + this.#stretch.bytes;
    let position = Math.min(offset, this.#hashed);
    while (position < end) {
      // An abandoned attempt must not touch the data that the next one reads.
      if (attempt !== this.#attempt) return;
      // The part that the machine already has is read only for the hash.
      const wanted = (position < offset ? offset : end) - position;
      const data = await this.#readerAt(position).at(position, Math.min(wanted, FILE_CHUNK_BYTES));
      if (attempt !== this.#attempt) return;
      if (data === undefined) break;
      const from = position;
      position += data.length;
      if (position > this.#hashed) {
        this.#hash.update(data.subarray(this.#hashed - from));
        // The bytes before the first stretch were found on the machine.
        passed(position - this.#hashed, position <= offset);
        this.#hashed = position;
      }
      if (from < offset) continue;
      this.#sent += data.length;
      this.#hasSent = true;
      yield { data };
    }
    if (position >= end) {
      yield { keep: true };
      return;
    }
    const told = await this.#content.finish();
    if (attempt !== this.#attempt) return;
    this.#sha256 ??= this.#hash.digest();
    if (told !== undefined && !sameHash(told, this.#sha256)) throw wrong(this.#content);
    const finish = { size: BigInt(this.#hashed), sha256: this.#sha256 };
    yield { finish };
  }

  #header(offset: number) {
    const { overwrite, ifMatch, resume } = this.#options;
    return {
      path: this.#path,
      parents: false,
      ifAbsent: !overwrite,
      upload: this.#upload,
      offset: BigInt(offset),
      ...(ifMatch === undefined ? {} : { ifMatch }),
      ...attributesOf(this.#content, this.#options),
      keepS: resume ? 0 : KEEP_S,
    };
  }

  /** Returns the present reader, or a new one if the position is out of its reach. */
  #readerAt(position: number): Reader {
    if (this.#reader?.reaches(position) === true) return this.#reader;
    this.#reader?.close();
    this.#reader = new Reader(this.#content, position, Number.isFinite(this.#stretch.bytes));
    return this.#reader;
  }

  async #partial(
    discard: boolean,
    signal = this.#options.signal,
  ): Promise<{ size: number; entry: FileEntry | undefined }> {
    const { files, caller } = this.#machine;
    const call = await caller.options(methodOf("Partial"), { signal });
    const { size, entry } = await files.partial({ path: this.#path, upload: this.#upload, discard }, call);
    return { size: Number(size), entry };
  }

  /**
   * Removes an upload that will not be resumed, if the machine can be told now; otherwise the machine does so
   * when its time is over.
   */
  async #discard(): Promise<void> {
    const limit = AbortSignal.timeout(DISCARD_WAIT_MS);
    const patience = new Patience(this.#machine, limit);
    const discarded = patience
      .until(() => this.#partial(true, limit))
      .then(
        () => true,
        // The caller is told that something is left; the upload's own failure matters more than this one.
        () => false,
      );
    const isDiscarded = await within(discarded, DISCARD_WAIT_MS);
    if (isDiscarded !== true && this.#hasSent) this.#options.left();
  }

  #unknown(then?: unknown): CmdopError {
    const why = then === undefined ? "the machine does not remember." : CmdopError.from(then).message;
    return new CmdopError(
      "OutcomeUnknown",
      `Whether ${visible(this.#path)} was written is not known: the answer was lost, and then: ${why}`,
      {
        cause: then,
        next: "Look at the file (info with hash): it has the new content, or what it had before.",
      },
    );
  }
}

/** Makes the error for content that arrived changed. */
export function wrong(content: Content): CmdopError {
  return new CmdopError("FileChanged", `${visible(content.path)} did not arrive as it was sent.`, {
    next: "Transfer it again.",
  });
}

/** Returns the attributes that the new file takes from the content. */
export function attributesOf({ mode, mtimeMs }: Content, { preserve }: PutOptions) {
  return {
    ...(mode === undefined ? {} : { mode }),
    modeUse: preserve ? FilesModeUse.ALWAYS : FilesModeUse.MASKED,
    ...(preserve && mtimeMs !== undefined ? { mtimeMs } : {}),
  };
}
