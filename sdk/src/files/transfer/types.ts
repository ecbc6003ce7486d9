import type { FileKind, FileWritten, SignalOption, SkippedPath } from "../types.ts";
import type { Turn } from "./line.ts";

/** The progress of a transfer. */
export interface TransferProgress {
  /**
   * Bytes of content that have been read and passed on, including those that a resumed transfer found there.
   */
  readonly bytes: number;
  /** The part of `bytes` that a resumed transfer found there. */
  readonly resumedBytes: number;
  /** Total bytes, if known. */
  readonly totalBytes?: number;
  /** Number of finished files. */
  readonly files: number;
  /** Total number of files, for a tree or several sources. */
  readonly totalFiles?: number;
  /** The progress of the file under way that was begun first. */
  readonly current?: FileProgress;
}

/** The progress of one file. */
export interface FileProgress {
  /** The path to show to people. */
  readonly path: string;
  readonly bytes: number;
  /** Total bytes; absent if the file does not tell its size. */
  readonly totalBytes?: number;
}

/**
 * Callback for a machine that can't be reached in the middle of a transfer, which waits for it and then
 * continues, and for its return. `end` names the machine.
 */
export type OnTransferLink = (state: "lost" | "back", end: "source" | "destination") => void;

/** Options of `upload`, `download` and `transfer`. */
export interface TransferOptions extends SignalOption {
  /** True transfers a directory with all its contents. */
  readonly recursive?: boolean | undefined;
  /**
   * False refuses an existing file with AlreadyExists. Otherwise it is replaced, atomically and only when all
   * has arrived.
   */
  readonly overwrite?: boolean | undefined;
  /**
   * True keeps the part that has arrived when the transfer fails or is aborted, and a repeated transfer
   * continues from it. A machine keeps it for a day, this computer until then. Lost connections within the
   * call are always resumed.
   */
  readonly resume?: boolean | undefined;
  /**
   * True keeps the time of the last change, and sets permission bits on existing files too. Otherwise new
   * files get the source's permission bits less the umask, and existing files keep their own.
   */
  readonly preserve?: boolean | undefined;
  /** Called for every piece and every file. */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
  /** Called when a machine's connection is lost, and when it is back. */
  readonly onLink?: OnTransferLink | undefined;
}

/** Options of `upload` and `transfer`. */
export interface UploadOptions extends TransferOptions {
  /**
   * SHA-256 in hex of the content to replace, for a single file; throws FileChanged if the file has another.
   * Of several writers that name the same content, exactly one wins; throws OutcomeUnknown if it can't be
   * known whether this one did.
   */
  readonly ifMatch?: string | undefined;
}

/** The result of a transfer. */
export interface TransferResult {
  /** Bytes of content. */
  readonly bytes: number;
  readonly files: number;
  /**
   * Paths that were passed over, in a tree or several sources: devices, FIFOs, sockets, and files that can't
   * be read or written.
   */
  readonly skipped: readonly SkippedPath[];
  /** SHA-256 in hex, for a single file. */
  readonly sha256?: string;
  /** Reports on files that were not replaced atomically, with the reason. Absent if there are none. */
  readonly written?: readonly WrittenFile[];
}

/** A file that was not replaced atomically. */
export interface WrittenFile extends FileWritten {
  /** The path, as in `skipped`: in a tree, from its root. */
  readonly path: string;
}

/** The content of one file during a transfer. */
export interface Content extends AsyncDisposable {
  /** The path to show to people. */
  readonly path: string;
  /** Size in bytes, if known; a stream has none. */
  readonly size: number | undefined;
  /** Permission bits. */
  readonly mode: number | undefined;
  /** Last change, in milliseconds since 1970. */
  readonly mtimeMs: number | undefined;
  /** Identifies the content and changes with it; undefined if the content can't be read twice. */
  readonly identity: string | undefined;
  /** Yields the bytes from an offset on. A piece is valid only until the reader asks for the next. */
  read(from: number): AsyncIterable<Uint8Array>;
  /**
   * Returns the content's hash after the last byte, if the other side has sent it.
   * @throws CmdopError FileChanged where the content has changed
   */
  finish(): Promise<Uint8Array | undefined>;
}

/** An entry of a tree. `path` is relative to the root, with a slash between parts. */
export interface TreeEntry {
  readonly path: string;
  readonly type: FileKind;
  readonly size: number;
  readonly mode: number;
  /** Last change, in milliseconds since 1970. */
  readonly mtimeMs: number;
  readonly linkTarget?: string;
}

/** Attributes for a directory; undefined ones are left as they are. */
export type DirectoryAttributes = Partial<Pick<TreeEntry, "mode" | "mtimeMs">>;

/** A directory with all its contents, each directory before its entries. */
export interface Tree {
  /** Attributes of the directory itself. */
  readonly attributes: DirectoryAttributes;
  readonly entries: TreeEntry[];
}

/** The source of a transfer. */
export interface Source {
  /** The path to show to people. */
  readonly path: string;
  /** True if it stands for several sources, which are put into the destination by their names. */
  readonly isSeveral: boolean;
  /**
   * Returns the facts of the source, or of the target of a link.
   * @throws CmdopError NotADirectory where the path ends with a slash and the source is no directory
   */
  facts(): Promise<Omit<TreeEntry, "path" | "linkTarget">>;
  /** Lists the directory's contents; reports the entries that can't be listed to `skipped`. */
  tree(skipped: (what: SkippedPath) => void): Promise<Tree>;
  /** Opens one file of the tree; "" is the source itself. */
  open(path: string, turn: Turn): Promise<Content>;
}

/** Options for writing one file to a target. */
export interface PutOptions {
  readonly overwrite: boolean;
  readonly resume: boolean;
  /** True keeps times, and sets modes on existing files too. */
  readonly preserve: boolean;
  /** SHA-256 that the present content must have; only for targets on machines. */
  readonly ifMatch: Uint8Array | undefined;
  /** True follows a link at the destination to the file that it leads to. */
  readonly follow: boolean;
  readonly signal: AbortSignal | undefined;
  /** The file's place on the line. */
  readonly turn: Turn;
  /** Called with the bytes of each piece; `isFound` if they were there already. */
  readonly passed: (bytes: number, isFound?: boolean) => void;
  /** Called if the file was not replaced atomically. */
  readonly written: (how: FileWritten) => void;
  /** Called if an unfinished file could not be removed from the machine. */
  readonly left: () => void;
}

/** The target of a transfer. */
export interface Target {
  /** The path to show to people; a stream has none. */
  readonly path: string | undefined;
  /**
   * Makes a directory that can be written into, or accepts an existing one. Returns the mode of a new one.
   */
  directory(path: string, mode: number | undefined): Promise<number | undefined>;
  /** Sets a directory's mode and time, when all its contents are there. */
  finishDirectory(path: string, attributes: DirectoryAttributes): Promise<void>;
  /** Makes or replaces a file, whole or not at all. Returns its SHA-256. */
  file(path: string, content: Content, options: PutOptions): Promise<Uint8Array>;
  /** Makes a link, or replaces one. */
  link(path: string, linkTarget: string, mtimeMs: number | undefined): Promise<void>;
}
