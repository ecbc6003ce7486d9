import type { FileKind, FileWritten, SignalOption, SkippedPath } from "../types.ts";
import type { Turn } from "./line.ts";

/** How far a transfer is. */
export interface TransferProgress {
  /** Bytes of content that have been read and passed on; what a resumed transfer found there counts. */
  readonly bytes: number;
  /** Of those, what a resumed transfer found there. */
  readonly resumedBytes: number;
  /** Bytes in all, where that is known. */
  readonly totalBytes?: number;
  /** Files that are done. */
  readonly files: number;
  /** Files in all, of a tree or of several sources. */
  readonly totalFiles?: number;
  /** Of the files under way the one that was begun first. */
  readonly current?: FileProgress;
}

/** How far one file is. */
export interface FileProgress {
  /** What people know it by. */
  readonly path: string;
  readonly bytes: number;
  /** Absent where the file does not say its size. */
  readonly totalBytes?: number;
}

/** Told when a machine can't be reached in the middle of a transfer, which then waits for it and goes on, and when it is back: `end` says which one. */
export type OnTransferLink = (state: "lost" | "back", end: "source" | "destination") => void;

/** Options of `upload`, `download` and `transfer`. */
export interface TransferOptions extends SignalOption {
  /** True takes a directory with all that is in it. */
  readonly recursive?: boolean | undefined;
  /** False refuses a file that exists with AlreadyExists; otherwise it is replaced, at once and only when all has arrived. */
  readonly overwrite?: boolean | undefined;
  /** True keeps what has arrived when the transfer fails or is aborted, and goes on there when the same is transferred again: on a machine for a day, here until then. Cuts are always resumed, while the call runs. */
  readonly resume?: boolean | undefined;
  /** True keeps the time of the last change, and gives permission bits also to what exists. Otherwise what is made gets the source's permission bits less the umask, and what exists keeps its own. */
  readonly preserve?: boolean | undefined;
  /** Called for every piece and every file. */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
  /** Told when a machine goes away, and when it is back. */
  readonly onLink?: OnTransferLink | undefined;
}

/** Options of `upload` and `transfer`. */
export interface UploadOptions extends TransferOptions {
  /** SHA-256 in hex: replace the file only where its content has it, else throw FileChanged. For a single file. Of several who name the same, exactly one wins; where it can't be known whether this one did, OutcomeUnknown. */
  readonly ifMatch?: string | undefined;
}

/** What a transfer came to. */
export interface TransferResult {
  /** Bytes of content. */
  readonly bytes: number;
  readonly files: number;
  /** What was passed over, of a tree or of several sources: devices, FIFOs, sockets, and what can't be read or written. */
  readonly skipped: readonly SkippedPath[];
  /** SHA-256 in hex, of a single file. */
  readonly sha256?: string;
  /** Files that were not simply replaced at once: how, and why. Absent where there is none. */
  readonly written?: readonly WrittenFile[];
}

/** A file that was not simply replaced at once. */
export interface WrittenFile extends FileWritten {
  /** As in `skipped`: of a tree from its root. */
  readonly path: string;
}

/** The content of one file, on its way. */
export interface Content extends AsyncDisposable {
  /** What people know it by. */
  readonly path: string;
  /** Bytes, as far as known; a stream has no size. */
  readonly size: number | undefined;
  /** Permission bits. */
  readonly mode: number | undefined;
  /** Last change, in milliseconds since 1970. */
  readonly mtimeMs: number | undefined;
  /** Changes with the content; none where it can't be read twice. */
  readonly identity: string | undefined;
  /** The bytes from an offset on. A piece is its reader's only until it asks for the next. */
  read(from: number): AsyncIterable<Uint8Array>;
  /** After the last byte: its hash, where the other side has told it. Throws FileChanged where the content is not what it was. */
  finish(): Promise<Uint8Array | undefined>;
}

/** Something in a tree, by its path below the root: parts with a slash between. */
export interface TreeEntry {
  readonly path: string;
  readonly type: FileKind;
  readonly size: number;
  readonly mode: number;
  /** Last change, in milliseconds since 1970. */
  readonly mtimeMs: number;
  readonly linkTarget?: string;
}

/** What a directory is to have; undefined where that does not matter. */
export type DirectoryAttributes = Partial<Pick<TreeEntry, "mode" | "mtimeMs">>;

/** A directory with all in it, each directory before what lies in it. */
export interface Tree {
  /** Of the directory itself. */
  readonly attributes: DirectoryAttributes;
  readonly entries: TreeEntry[];
}

/** Where a transfer comes from. */
export interface Source {
  /** What people know it by. */
  readonly path: string;
  /** Whether it stands for several sources, which are put into the destination by their names. */
  readonly isSeveral: boolean;
  /** What it is, or what it points at. Throws NotADirectory where its path ends with a slash, and it is none. */
  facts(): Promise<Omit<TreeEntry, "path" | "linkTarget">>;
  /** What lies in the directory; `skipped` is told the rest. */
  tree(skipped: (what: SkippedPath) => void): Promise<Tree>;
  /** One file of the tree; "" for the source itself. */
  open(path: string, turn: Turn): Promise<Content>;
}

/** How a file is put in its place. */
export interface PutOptions {
  readonly overwrite: boolean;
  readonly resume: boolean;
  /** Whether times are kept, and modes also where there is a file. */
  readonly preserve: boolean;
  /** SHA-256 that the file's content must have; of targets on machines alone. */
  readonly ifMatch: Uint8Array | undefined;
  /** Whether a link in its place leads on to the file that is meant. */
  readonly follow: boolean;
  readonly signal: AbortSignal | undefined;
  /** The file's place on the line. */
  readonly turn: Turn;
  /** Told the bytes of each piece, and whether they were found there. */
  readonly passed: (bytes: number, isFound?: boolean) => void;
  /** Told how the file was written, where it was not simply replaced at once. */
  readonly written: (how: FileWritten) => void;
  /** Told that something unfinished could not be removed from the machine. */
  readonly left: () => void;
}

/** Where a transfer goes to. */
export interface Target {
  /** What people know it by; a stream has none. */
  readonly path: string | undefined;
  /** Makes a directory that can be written into, or accepts one; the mode of one that was made. */
  directory(path: string, mode: number | undefined): Promise<number | undefined>;
  /** Gives a directory its mode and time, when all that lies in it is there. */
  finishDirectory(path: string, attributes: DirectoryAttributes): Promise<void>;
  /** Makes or replaces a file, whole or not at all; its SHA-256. */
  file(path: string, content: Content, options: PutOptions): Promise<Uint8Array>;
  /** Makes a link, or replaces one. */
  link(path: string, linkTarget: string, mtimeMs: number | undefined): Promise<void>;
}
