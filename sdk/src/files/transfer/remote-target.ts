import { createHash, randomBytes } from "node:crypto";
import { posix } from "node:path";
import { CmdopError, FILE_CHUNK_BYTES, type FileEntry, visible } from "@cmdop/proto";
import { methodOf } from "../method-of.ts";
import { resumeName, sameHash, UPLOAD_BYTES } from "./names.ts";
import { Patience } from "./patience.ts";
import type { Machine } from "./remote-source.ts";
import type { Content, PutOptions, Target } from "./types.ts";

/** A file that goes in one message: as much as a piece of a stream. */
const SMALL_BYTES = FILE_CHUNK_BYTES;

/** Times that the machine may say that it has not what it said it had: somebody else writes to the same upload. */
const MAX_DISAGREEMENTS = 3;

/** A directory that is written into needs these. */
const OWNER_BITS = 0o700;

/** A place on a machine. */
export function remoteTarget(machine: Machine, root: string, signal: AbortSignal | undefined): Target {
  const { files, caller } = machine;
  const at = (below: string): string => (below === "" ? root : posix.join(root, below));
  const patience = () => new Patience(caller.transport, signal);
  return {
    directory: (below, mode) =>
      patience().until(async () => {
        const call = await caller.options(methodOf("Mkdir"), { signal });
        const permissions = mode === undefined ? {} : { mode: mode | OWNER_BITS };
        await files.mkdir({ path: at(below), parents: true, ...permissions }, call);
      }),
    file: (below, content, options) =>
      content.size !== undefined && content.size <= SMALL_BYTES && options.overwrite
        ? putSmall(machine, at(below), content, options)
        : new Upload(machine, at(below), content, options).run(),
    link: (below, linkTarget) =>
      patience().until(async () => {
        const call = await caller.options(methodOf("Symlink"), { signal });
        await files.symlink({ path: at(below), target: linkTarget, overwrite: true }, call);
      }),
  };
}

async function putSmall(
  { files, caller }: Machine,
  path: string,
  content: Content,
  { signal, passed }: PutOptions,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content.read(0)) {
    pieces.push(piece);
    passed(piece.length);
  }
  const bytes = Buffer.concat(pieces);
  const sha256 = createHash("sha256").update(bytes).digest();
  const told = await content.finish();
  if (told !== undefined && !sameHash(told, sha256)) throw wrong(content);
  const mode = content.mode === undefined ? {} : { mode: content.mode };
  const entry = await new Patience(caller.transport, signal).until(async () => {
    const call = await caller.options(methodOf("Write"), { signal });
    return (await files.write({ path, content: bytes, ...mode }, call)).entry;
  });
  if (entry?.sha256 === undefined || !sameHash(entry.sha256, sha256)) throw wrong(content);
  return sha256;
}

/** One file on its way to a machine: sent again from where it broke, until it is committed. */
class Upload {
  readonly #machine: Machine;
  readonly #path: string;
  readonly #content: Content;
  readonly #options: PutOptions;
  readonly #upload: Uint8Array;
  readonly #hash = createHash("sha256");
  /** Bytes that are in the hash. */
  #hashed = 0;
  #sha256: Uint8Array | undefined;
  #attempt = 0;

  constructor(machine: Machine, path: string, content: Content, options: PutOptions) {
    this.#machine = machine;
    this.#path = path;
    this.#content = content;
    this.#options = options;
    this.#upload = options.resume ? resumeName(content, path) : randomBytes(UPLOAD_BYTES);
  }

  async run(): Promise<Uint8Array> {
    try {
      const { sha256 } = await this.#tryAll();
      if (this.#sha256 === undefined || (sha256 !== undefined && !sameHash(sha256, this.#sha256))) {
        throw wrong(this.#content);
      }
      return this.#sha256;
    } catch (thrown) {
      if (!this.#options.resume) await this.#discard();
      throw thrown;
    }
  }

  async #tryAll(): Promise<FileEntry> {
    const { files, caller } = this.#machine;
    const { signal, resume } = this.#options;
    const patience = new Patience(caller.transport, signal);
    let offset = resume ? (await patience.until(() => this.#partial(false))).size : 0;
    for (let disagreements = 0; ; ) {
      try {
        const call = await caller.options(methodOf("WriteStream"), { signal });
        const { entry } = await files.writeStream(this.#requests(offset), call);
        if (entry !== undefined) return entry;
        throw new CmdopError("LinkLost", "The machine's answer has no entry.");
      } catch (thrown) {
        const code = CmdopError.from(thrown).code;
        const differs = code === "FileChanged" && offset > 0 && this.#sha256 === undefined;
        if (differs) disagreements += 1;
        if (!differs || disagreements > MAX_DISAGREEMENTS) await patience.after(thrown);
      }
      const found = await patience.until(() => this.#partial(false));
      if (found.entry !== undefined) return found.entry;
      if (this.#sha256 !== undefined && found.size === 0 && !this.#options.overwrite) {
        throw new CmdopError("OutcomeUnknown", `Whether ${visible(this.#path)} was made is not known.`);
      }
      if (found.size > offset) patience.moved();
      offset = found.size;
    }
  }

  async *#requests(offset: number) {
    const { overwrite, passed } = this.#options;
    const { mode } = this.#content;
    this.#attempt += 1;
    const attempt = this.#attempt;
    const header = {
      path: this.#path,
      parents: false,
      ifAbsent: !overwrite,
      upload: this.#upload,
      offset: BigInt(offset),
      ...(mode === undefined ? {} : { mode }),
    };
    yield { header };
    let position = Math.min(offset, this.#hashed);
    for await (const piece of this.#content.read(position)) {
      // An attempt that was given up may still have been waiting for this piece.
      if (attempt !== this.#attempt) return;
      const end = position + piece.length;
      if (end > this.#hashed) {
        this.#hash.update(piece.subarray(this.#hashed - position));
        passed(end - this.#hashed);
        this.#hashed = end;
      }
      if (end > offset) {
        const data = piece.subarray(Math.max(0, offset - position));
        for (let from = 0; from < data.length; from += FILE_CHUNK_BYTES) {
          yield { data: data.subarray(from, from + FILE_CHUNK_BYTES) };
        }
      }
      position = end;
    }
    const told = await this.#content.finish();
    if (attempt !== this.#attempt) return;
    this.#sha256 ??= this.#hash.digest();
    if (told !== undefined && !sameHash(told, this.#sha256)) throw wrong(this.#content);
    const finish = { size: BigInt(this.#hashed), sha256: this.#sha256 };
    yield { finish };
  }

  async #partial(discard: boolean): Promise<{ size: number; entry: FileEntry | undefined }> {
    const { files, caller } = this.#machine;
    const signal = discard ? undefined : this.#options.signal;
    const call = await caller.options(methodOf("Partial"), { signal });
    const { size, entry } = await files.partial({ path: this.#path, upload: this.#upload, discard }, call);
    return { size: Number(size), entry };
  }

  /** What will not be resumed is removed where that can be said now; else the machine does it within a day or so. */
  async #discard(): Promise<void> {
    try {
      await this.#partial(true);
    } catch (thrown) {
      // What the upload itself failed with says more.
      if (!(thrown instanceof CmdopError)) throw thrown;
    }
  }
}

function wrong(content: Content): CmdopError {
  return new CmdopError("FileChanged", `${visible(content.path)} did not arrive as it was sent.`, {
    next: "Transfer it again.",
  });
}
