import type { Writable } from "node:stream";
import {
  type CallOptions,
  CmdopError,
  detectText,
  Files as FilesService,
  type ServiceClient,
} from "@cmdop/proto";
import { asBuffer } from "../as-buffer.ts";
import type { MachineCaller } from "../connection/caller.ts";
import { lastEntry } from "./copy-progress.ts";
import { fileInfo } from "./file-info.ts";
import { matchGlob } from "./glob.ts";
import { methodOf } from "./method-of.ts";
import { searchTree, walkTree } from "./search.ts";
import { LinkWatch } from "./transfer/link-watch.ts";
import { localSource } from "./transfer/local-source.ts";
import { localTarget } from "./transfer/local-target.ts";
import type { Machine } from "./transfer/machine.ts";
import { remoteSource } from "./transfer/remote-source.ts";
import { remoteTarget } from "./transfer/remote-target.ts";
import { severalSources } from "./transfer/several-sources.ts";
import { streamSource, streamTarget } from "./transfer/streams.ts";
import { transfer } from "./transfer/transfer.ts";
import type {
  OnTransferLink,
  Source,
  TransferOptions,
  TransferResult,
  UploadOptions,
} from "./transfer/types.ts";
import type {
  CopyOptions,
  DeleteOptions,
  EditedFile,
  EditOptions,
  FileContent,
  FileInfo,
  FileList,
  InfoOptions,
  ListOptions,
  LocalPath,
  MkdirOptions,
  MoveOptions,
  ReadOptions,
  ReadTextOptions,
  SearchEvent,
  SearchOptions,
  SignalOption,
  WalkOptions,
  WriteOptions,
} from "./types.ts";
import { bytesOf, hashBytes, writeFile } from "./write.ts";

/** Largest file that `read` holds in memory, in bytes; use readStream for larger ones. */
const MAX_READ_BYTES = 1024 * 1024 * 1024;

/** The filesystem of one machine. Paths are absolute or begin with `~`. */
export class Files {
  readonly #caller: MachineCaller;
  readonly #files: ServiceClient<typeof FilesService>;

  constructor(caller: MachineCaller) {
    this.#caller = caller;
    this.#files = caller.client(FilesService);
  }

  /** Returns one page of a directory. */
  async list(path: string, options: ListOptions = {}): Promise<FileList> {
    const { pageSize = 0, page = "", hidden = true } = options;
    const request = { path, pageSize, page, includeHidden: hidden };
    const { entries, nextPage } = await this.#invoke(
      "List",
      (call) => this.#files.list(request, call),
      options,
    );
    return { entries: entries.map(fileInfo), ...(nextPage === "" ? {} : { nextPage }) };
  }

  /**
   * Yields everything below a directory as it is found: each directory before its contents, otherwise
   * unordered. Links are reported and never followed. A directory that can't be read says so in its entry's
   * `unread`.
   */
  walk(path: string, options: WalkOptions = {}): AsyncGenerator<FileInfo> {
    return walkTree({ files: this.#files, caller: this.#caller }, path, options);
  }

  /**
   * Returns the paths that a glob matches, sorted, as a shell on the machine would find them. `*`, `?` and
   * `[a-z]` match within a name, and hidden names only if the glob has the dot; a slash at the end means
   * directories only. A backslash makes `*`, `?`, `[` and `\` literal. A path without any of them is returned
   * as it is, whether it exists or not.
   */
  glob(glob: string, options: SignalOption = {}): Promise<string[]> {
    return matchGlob((path, found) => this.walk(path, { ...found, ...options }), glob);
  }

  /**
   * Searches a directory's tree, or one file, for names, for lines, or for lines in files with such names.
   */
  search(path: string, options: SearchOptions): AsyncGenerator<SearchEvent> {
    return searchTree({ files: this.#files, caller: this.#caller }, path, options);
  }

  /** Returns a file's bytes, or a range of them. Use readStream for files over 1 GiB. */
  async read(path: string, options: ReadOptions = {}): Promise<Uint8Array> {
    const request = { path, ...range(options) };
    try {
      const { content } = await this.#invoke("Read", (call) => this.#files.read(request, call), options);
      return asBuffer(content);
    } catch (thrown) {
      if (!(thrown instanceof CmdopError) || thrown.code !== "MessageTooLarge") throw thrown;
    }
    // The size is asked first, so that a file that is too large is refused before a gigabyte is read.
    const nothing = { ...request, length: 0n };
    const { size } = await this.#invoke("Read", (call) => this.#files.read(nothing, call), options);
    refuseLarge(path, Math.min(Number(size - request.offset), options.length ?? Number.POSITIVE_INFINITY));
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    for await (const piece of this.readStream(path, options)) {
      bytes += piece.length;
      refuseLarge(path, bytes);
      pieces.push(piece);
    }
    return Buffer.concat(pieces);
  }

  /**
   * Reads a text file as UTF-8, or decodes it from UTF-16, Windows-1252, Shift JIS, EUC-JP, GBK, Big5 or
   * EUC-KR if a byte order mark or the content makes that certain. `encoding` overrides the detection. Bytes
   * that are not valid text become U+FFFD; a byte order mark is left out.
   */
  async readText(path: string, { encoding, ...options }: ReadTextOptions = {}): Promise<string> {
    const bytes = await this.read(path, options);
    const detected = encoding === undefined ? detectText(bytes) : { kind: "text" as const, encoding };
    return new TextDecoder(detected.kind === "text" ? detected.encoding : "utf-8").decode(bytes);
  }

  /**
   * Yields a file of any size, piece by piece.
   * @throws CmdopError LinkLost when the connection breaks in the middle
   */
  async *readStream(path: string, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    const call = await this.#caller.options(methodOf("ReadStream"), options);
    for await (const { data } of this.#files.readStream({ path, ...range(options) }, call)) yield data;
  }

  /**
   * Replaces a file. Readers see either the old content or the new, never a part, unless the result has
   * `written`, which gives the reason. With `append`, adds to the file's end instead. When the reply to a
   * conditional write is lost, throws OutcomeUnknown; other writes are sent again.
   */
  write(path: string, content: FileContent, options: WriteOptions = {}): Promise<FileInfo> {
    return writeFile({ files: this.#files, caller: this.#caller }, path, content, options);
  }

  /**
   * Replaces exact text in a file, atomically unless the result has `written`.
   * @throws CmdopError InvalidArgument, with nothing changed, where the text does not match, or matches more
   *   than once without `all`
   */
  async edit(path: string, options: EditOptions): Promise<EditedFile> {
    const { all = false, ifMatch } = options;
    const request = {
      path,
      all,
      old: bytesOf(options.old),
      new: bytesOf(options.new),
      ...(ifMatch === undefined ? {} : { ifMatch: hashBytes(ifMatch) }),
    };
    const answer = await this.#invoke("Edit", (call) => this.#files.edit(request, call), options);
    return { ...fileInfo(answer.entry), replacements: answer.replacements };
  }

  /** Removes a file, a link itself, or with `recursive` a directory and all in it. */
  async delete(path: string, options: DeleteOptions = {}): Promise<void> {
    const request = { path, recursive: options.recursive ?? false };
    await this.#invoke("Delete", (call) => this.#files.delete(request, call), options);
  }

  /**
   * Copies on the machine; `destination` is the new path itself. The copy appears whole or not at all. A file
   * copied onto another (`overwrite`) gives that one its content and time; the target's owner, mode, ACL and
   * hard links stay, and if it had to be written in place the result has `written`.
   */
  copy(source: string, destination: string, options: CopyOptions = {}): Promise<FileInfo> {
    const { recursive = false, overwrite = false } = options;
    const request = { source, destination, recursive, overwrite };
    return this.#invoke("Copy", (call) => lastEntry(this.#files.copy(request, call), options), options);
  }

  /** Moves or renames; `destination` is the new path itself. */
  move(source: string, destination: string, options: MoveOptions = {}): Promise<FileInfo> {
    const request = { source, destination, overwrite: options.overwrite ?? false };
    return this.#invoke("Move", (call) => lastEntry(this.#files.move(request, call), options), options);
  }

  /** Makes a directory. With `parents` also makes missing parents, and accepts a directory that exists. */
  async mkdir(path: string, options: MkdirOptions = {}): Promise<FileInfo> {
    const { parents = false, mode } = options;
    const request = { path, parents, ...(mode === undefined ? {} : { mode }) };
    const { entry } = await this.#invoke("Mkdir", (call) => this.#files.mkdir(request, call), options);
    return fileInfo(entry);
  }

  /** Describes one path without following a link at its end. */
  async info(path: string, options: InfoOptions = {}): Promise<FileInfo> {
    const request = { path, hash: options.hash ?? false };
    const { entry } = await this.#invoke("Info", (call) => this.#files.info(request, call), options);
    return fileInfo(entry);
  }

  /**
   * Copies a file, a directory with all in it, or a stream from this computer to the machine. `remotePath` is
   * the new path itself; a path that ends with a slash names a directory, and is refused for a file. With
   * several sources (an array) it is the directory that they are put into, by their names; `dir/.` stands for
   * the contents of `dir`. After a lost connection the transfer continues where it broke; a file appears
   * whole and with the right SHA-256, or not at all. Links stay links, except the source itself, which is
   * followed; owners are not kept.
   */
  upload(
    source: LocalPath | readonly LocalPath[] | AsyncIterable<Uint8Array>,
    remotePath: string,
    options: UploadOptions = {},
  ): Promise<TransferResult> {
    const from = isStream(source) ? streamSource(source) : sourceOf(source, localSource, options);
    const machine = this.#machine("destination", options.onLink);
    return transfer(from, remoteTarget(machine, remotePath, options.signal), options);
  }

  /**
   * Copies a file, or a directory with all in it, from the machine to this computer, or writes one file to a
   * stream. `localPath` is the new path itself. Otherwise as `upload`. A stream is not closed, and its
   * content is verified only when this returns.
   */
  download(
    remotePath: string | readonly string[],
    destination: LocalPath | Writable,
    options: TransferOptions = {},
  ): Promise<TransferResult> {
    const isPath = typeof destination === "string" || destination instanceof Uint8Array;
    const source = this.#source(remotePath, options, !isPath);
    return transfer(source, isPath ? localTarget(destination) : streamTarget(destination), options);
  }

  /**
   * Copies a file, a directory with all in it, or several sources to another machine, through this computer.
   */
  transfer(
    path: string | readonly string[],
    to: Files,
    destination: string,
    options: UploadOptions = {},
  ): Promise<TransferResult> {
    const machine = to.#machine("destination", options.onLink);
    const target = remoteTarget(machine, destination, options.signal);
    return transfer(this.#source(path, options, false), target, options);
  }

  #source(path: string | readonly string[], options: TransferOptions, keepsPieces: boolean): Source {
    const machine = this.#machine("source", options.onLink);
    const { signal } = options;
    return sourceOf(path, (each) => remoteSource(machine, each, { signal, keepsPieces }), options);
  }

  #machine(end: "source" | "destination", onLink: OnTransferLink | undefined): Machine {
    return { files: this.#files, caller: this.#caller, link: new LinkWatch(end, onLink) };
  }

  #invoke<T>(
    method: string,
    tryOnce: (call: CallOptions) => Promise<T>,
    options: SignalOption = {},
  ): Promise<T> {
    return this.#caller.invoke(methodOf(method), tryOnce, { signal: options.signal });
  }
}

function isStream(
  source: LocalPath | readonly LocalPath[] | AsyncIterable<Uint8Array>,
): source is AsyncIterable<Uint8Array> {
  return typeof source === "object" && Symbol.asyncIterator in source;
}

function isSeveral<P extends LocalPath>(path: P | readonly P[]): path is readonly P[] {
  return Array.isArray(path);
}

function sourceOf<P extends LocalPath>(
  path: P | readonly P[],
  open: (path: P) => Source,
  { recursive = false }: TransferOptions,
): Source {
  return isSeveral(path) ? severalSources(path.map(open), recursive) : open(path);
}

function refuseLarge(path: string, bytes: number): void {
  if (bytes <= MAX_READ_BYTES) return;
  throw new CmdopError("MessageTooLarge", `${path} has more than ${MAX_READ_BYTES} bytes.`, {
    next: "Use readStream, or read a range.",
  });
}

function range({ offset = 0, length }: ReadOptions): { offset: bigint; length?: bigint } {
  for (const value of [offset, length ?? 0]) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new CmdopError(
        "InvalidArgument",
        `offset and length must be whole numbers of bytes, not ${value}.`,
      );
    }
  }
  return { offset: BigInt(offset), ...(length === undefined ? {} : { length: BigInt(length) }) };
}
