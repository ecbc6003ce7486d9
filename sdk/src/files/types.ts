/** What a path names. */
export type FileKind = "file" | "directory" | "symlink" | "other";

/** One file, directory or link. */
export interface FileInfo {
  readonly name: string;
  /** Absolute path. */
  readonly path: string;
  /** A link is a link, whatever it points at. */
  readonly type: FileKind;
  /** Bytes. */
  readonly size: number;
  /** Last change of the content, in milliseconds since 1970. */
  readonly mtimeMs: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Where a link points. */
  readonly linkTarget?: string;
  /** SHA-256 of the content in hex: from `info` with `hash`, `write` and `edit`. Give it as `ifMatch` to change just this content. */
  readonly sha256?: string;
}

/** What every call takes. */
export interface SignalOption {
  /** Aborting ends the call with Canceled; what it had done by then stays done. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `delete`. */
export interface DeleteOptions extends SignalOption {
  /** True removes a directory with all that is in it. */
  readonly recursive?: boolean | undefined;
}

/** Options of `move`. */
export interface MoveOptions extends SignalOption {
  /** True replaces a file that exists. */
  readonly overwrite?: boolean | undefined;
}

/** Options of `copy`. */
export interface CopyOptions extends MoveOptions {
  /** True copies a directory with all that is in it. */
  readonly recursive?: boolean | undefined;
}

/** Options of `mkdir`. */
export interface MkdirOptions extends SignalOption {
  /** True makes missing parents, and accepts a directory that exists. */
  readonly parents?: boolean | undefined;
  /** Permission bits; 0o755 less the umask unless given. */
  readonly mode?: number | undefined;
}

/** Options of `list`. */
export interface ListOptions extends SignalOption {
  /** Entries a page; 1,000 unless given, at most 10,000. */
  readonly pageSize?: number | undefined;
  /** `nextPage` of the page before. */
  readonly page?: string | undefined;
  /** False leaves out names that begin with a dot; true unless given. */
  readonly hidden?: boolean | undefined;
}

/** One page of a directory, sorted by name. */
export interface FileList {
  readonly entries: FileInfo[];
  /** Absent on the last page. */
  readonly nextPage?: string;
}

/** Which part of a file to read. */
export interface ReadOptions extends SignalOption {
  /** First byte; 0 unless given. */
  readonly offset?: number | undefined;
  /** Bytes at most; to the end unless given. */
  readonly length?: number | undefined;
}

/** Options of `write`. */
export interface WriteOptions extends SignalOption {
  /** Permission bits of a new file; an existing one keeps its own. */
  readonly mode?: number | undefined;
  /** True makes missing directories. */
  readonly parents?: boolean | undefined;
  /** SHA-256 in hex: write only where the file's content has it, else throw FileChanged. Of several who name the same, exactly one wins. */
  readonly ifMatch?: string | undefined;
  /** True writes only where nothing has the name, else throws AlreadyExists. */
  readonly ifAbsent?: boolean | undefined;
  /** True adds to the end instead, in place. A stream is added piece by piece, and what was added stays when it breaks. */
  readonly append?: boolean | undefined;
  /** With `append`: only where the file has this many bytes, else FileChanged; 0 also where there is none. */
  readonly ifSize?: number | undefined;
}

/** Options of `edit`. */
export interface EditOptions extends SignalOption {
  /** The exact text (or bytes) to find: spaces and line ends count. */
  readonly old: string | Uint8Array;
  /** What takes its place. */
  readonly new: string | Uint8Array;
  /** True replaces every match; otherwise there must be exactly one, or nothing is changed. */
  readonly all?: boolean | undefined;
  /** SHA-256 in hex: edit only where the file's content has it, else throw FileChanged. */
  readonly ifMatch?: string | undefined;
}

/** A file as an edit left it. */
export interface EditedFile extends FileInfo {
  /** Matches that were replaced. */
  readonly replacements: number;
}

/** Options of `info`. */
export interface InfoOptions extends SignalOption {
  /** True gives `sha256` of a regular file, which means to read it whole. */
  readonly hash?: boolean | undefined;
}

/** What a file can be written from. */
export type FileContent =
  | string
  | Uint8Array
  | AsyncIterable<string | Uint8Array>
  | ReadableStream<string | Uint8Array>;
