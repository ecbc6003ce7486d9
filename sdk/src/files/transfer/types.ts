import type { FileKind, SignalOption, SkippedPath } from "../types.ts";
import type { Turn } from "./line.ts";

/** How far a transfer is. */
export interface TransferProgress {
  /** Bytes of content that have been read and passed on; what a resumed transfer found there counts. */
  readonly bytes: number;
  /** Bytes in all, where that is known. */
  readonly totalBytes?: number;
  /** Files that are done. */
  readonly files: number;
}

/** Options of `upload`, `download` and `transfer`. */
export interface TransferOptions extends SignalOption {
  /** True takes a directory with all that is in it. */
  readonly recursive?: boolean | undefined;
  /** False refuses a file that exists with AlreadyExists; otherwise it is replaced, at once and only when all has arrived. */
  readonly overwrite?: boolean | undefined;
  /** True keeps what has arrived when the transfer fails or is aborted, and goes on there when the same is transferred again: on a machine for a day, here until then. Cuts are always resumed, while the call runs. */
  readonly resume?: boolean | undefined;
  /** Called for every piece and every file. */
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
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
  /** What was passed over: devices, FIFOs, sockets, what can't be read, and names that are not UTF-8. */
  readonly skipped: readonly SkippedPath[];
  /** SHA-256 in hex, of a single file. */
  readonly sha256?: string;
}

/** The content of one file, on its way. */
export interface Content extends AsyncDisposable {
  /** What people know it by. */
  readonly path: string;
  /** Bytes, as far as known; a stream has no size. */
  readonly size: number | undefined;
  /** Permission bits. */
  readonly mode: number | undefined;
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
  readonly linkTarget?: string;
}

/** Where a transfer comes from. */
export interface Source {
  /** Whether it is a directory. */
  isDirectory(): Promise<boolean>;
  /** Permission bits of the directory, and all in it, a directory before what lies in it. `skipped` is told the rest. */
  tree(skipped: (what: SkippedPath) => void): Promise<{ mode: number | undefined; entries: TreeEntry[] }>;
  /** One file of the tree; "" for the source itself. */
  open(path: string, turn: Turn): Promise<Content>;
}

/** How a file is put in its place. */
export interface PutOptions {
  readonly overwrite: boolean;
  readonly resume: boolean;
  /** SHA-256 that the file's content must have; of targets on machines alone. */
  readonly ifMatch: Uint8Array | undefined;
  /** Whether a link in its place leads on to the file that is meant. */
  readonly follow: boolean;
  readonly signal: AbortSignal | undefined;
  /** The file's place on the line. */
  readonly turn: Turn;
  /** Told the bytes of each piece. */
  readonly passed: (bytes: number) => void;
}

/** Where a transfer goes to. */
export interface Target {
  /** Makes a directory, or accepts one. */
  directory(path: string, mode: number | undefined): Promise<void>;
  /** Makes or replaces a file, whole or not at all; its SHA-256. */
  file(path: string, content: Content, options: PutOptions): Promise<Uint8Array>;
  /** Makes a link, or replaces one. */
  link(path: string, linkTarget: string): Promise<void>;
}
