import type { TextEncodingName } from "@cmdop/proto";
/** A path on this computer, as Node takes it: a string, or bytes where it is not UTF-8. */
export type LocalPath = string | Uint8Array;

/** The kind of a file. */
export type FileKind = "file" | "directory" | "symlink" | "other";

/** One file, directory or link. */
export interface FileInfo {
  readonly name: string;
  /** Absolute path. */
  readonly path: string;
  /** The kind; a link is `symlink`, whatever it points at. */
  readonly type: FileKind;
  /** Size in bytes. */
  readonly size: number;
  /** Last change of the content, in milliseconds since 1970. */
  readonly mtimeMs: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** The target of a link. */
  readonly linkTarget?: string;
  /**
   * SHA-256 of the content in hex; set by `info` with `hash`, `write` and `edit`. As `ifMatch` it limits a
   * change to this very content.
   */
  readonly sha256?: string;
  /** Report on a file that was just written, if it was not replaced atomically. */
  readonly written?: FileWritten;
  /** Reason that a directory's contents are missing in a walk, all or in part. */
  readonly unread?: SkippedPath;
}

/** Report on a file that was not written in the usual way. */
export interface FileWritten {
  /**
   * False if the file was written in place, because it could not be replaced (a mount point, say) or would
   * have lost something (other names, an ACL). Anyone reading it meanwhile may have seen a mix of old and new
   * content.
   */
  readonly atomic: boolean;
  /** True if its other names (hard links) keep the old content. */
  readonly linkSplit: boolean;
  /** The same in words, with the reason. */
  readonly message: string;
}

/** A path that a walk, a search or a transfer passed over; `failed` occurs only in transfers. */
export interface SkippedPath {
  readonly path: string;
  readonly reason: "unreadable" | "failed" | "binary" | "too_large" | "long_line";
  /** The reason, in words. */
  readonly message: string;
}

/** Options of every call. */
export interface SignalOption {
  /** Aborting ends the call with Canceled; changes that it has made remain. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `delete`. */
export interface DeleteOptions extends SignalOption {
  /** True removes a directory with all that is in it. */
  readonly recursive?: boolean | undefined;
}

/** The progress of a copy. */
export interface CopyProgress {
  /** Bytes of content so far. */
  readonly bytes: number;
  /** Number of files, links and directories that were begun. */
  readonly entries: number;
}

/** Options of `move`. */
export interface MoveOptions extends SignalOption {
  /**
   * Called about four times a second, and at the end. A move calls it only if it must copy, to another
   * filesystem.
   */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
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
  /** Permission bits; default 0o755 less the umask. */
  readonly mode?: number | undefined;
}

/** Options of `list`. */
export interface ListOptions extends SignalOption {
  /** Most entries in a page; default 1,000, at most 10,000. */
  readonly pageSize?: number | undefined;
  /** `nextPage` of the page before. */
  readonly page?: string | undefined;
  /** False leaves out names that begin with a dot; default true. */
  readonly hidden?: boolean | undefined;
}

/** One page of a directory, sorted by name. */
export interface FileList {
  readonly entries: FileInfo[];
  /** Absent on the last page. */
  readonly nextPage?: string;
}

/**
 * Options of `walk`. Globs may use `*`, `?`, `[a-z]`, `{a,b}` and `**`. A glob without a slash matches names,
 * one with a slash paths below the directory.
 */
export interface WalkOptions extends SignalOption {
  /** Most levels to go down: 1 is only the directory itself; default all, at most 256. */
  readonly depth?: number | undefined;
  /** A glob, or up to 16: only paths that match one of them are returned. */
  readonly name?: string | readonly string[] | undefined;
  /** Globs of paths to leave out, with their contents, such as `node_modules`. */
  readonly exclude?: string | readonly string[] | undefined;
  /** False leaves out names that begin with a dot; default true. */
  readonly hidden?: boolean | undefined;
}

/** Options of `search`: `name`, `content` or both must be given. */
export interface SearchOptions extends WalkOptions {
  /**
   * The text to find in each line of each regular file: plain text, or a regular expression, of which only
   * the flags i, s and u count.
   */
  readonly content?: string | RegExp | undefined;
  /** True ignores case. */
  readonly ignoreCase?: boolean | undefined;
  /** Number of lines shown before and after each matching line; default 0, at most 20. */
  readonly contextLines?: number | undefined;
  /**
   * Most matching lines (without `content`: files), after which the search ends; default 1,000, at most
   * 100,000.
   */
  readonly maxResults?: number | undefined;
  /** Largest file that is searched, in bytes; larger ones are reported as skipped. Default 64 MiB. */
  readonly maxFileBytes?: number | undefined;
}

/** A line that matches. */
export interface SearchMatch {
  readonly path: string;
  /** The line's number, from 1. */
  readonly line: number;
  /** Position of the first match in the line, in UTF-16 units from 0; `length` is its length. */
  readonly column: number;
  readonly length: number;
  /** The line without its line end; for a long line, the part around the match. */
  readonly text: string;
  /** Position in the line where `text` begins: not 0 if a long line's beginning was cut off. */
  readonly textStart: number;
  /** The lines before and after it. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/**
 * One event of a search; the last is `ended`. `limited` means that there may be more results than were shown.
 */
export type SearchEvent =
  | { readonly type: "file"; readonly file: FileInfo }
  | ({ readonly type: "match" } & SearchMatch)
  | ({ readonly type: "skipped" } & SkippedPath)
  | { readonly type: "ended"; readonly files: number; readonly results: number; readonly limited: boolean };

/** The part of a file to read. */
export interface ReadOptions extends SignalOption {
  /** Offset of the first byte; default 0. */
  readonly offset?: number | undefined;
  /** Most bytes to read; default all up to the end. */
  readonly length?: number | undefined;
}

/** Options of `readText`. */
export interface ReadTextOptions extends ReadOptions {
  /** The text's encoding; detected from its content by default. */
  readonly encoding?: TextEncodingName | undefined;
}

/** Options of `write`. */
export interface WriteOptions extends SignalOption {
  /** Permission bits of a new file; an existing one keeps its own. */
  readonly mode?: number | undefined;
  /** True makes missing directories. */
  readonly parents?: boolean | undefined;
  /**
   * SHA-256 in hex of the content to replace; throws FileChanged if the file has another. Of several writers
   * that name the same content, exactly one wins.
   */
  readonly ifMatch?: string | undefined;
  /** True writes only if nothing has the name; otherwise throws AlreadyExists. */
  readonly ifAbsent?: boolean | undefined;
  /**
   * True adds to the file's end instead, in place. A stream is added piece by piece, and added pieces remain
   * when it breaks.
   */
  readonly append?: boolean | undefined;
  /**
   * With `append`: the size in bytes that the file must have; throws FileChanged if it differs. 0 also
   * accepts a missing file.
   */
  readonly ifSize?: number | undefined;
}

/** Options of `edit`. */
export interface EditOptions extends SignalOption {
  /**
   * The exact text or bytes to find, including spaces. Lines may end with LF or CR LF, whichever the file
   * uses.
   */
  readonly old: string | Uint8Array;
  /** The replacement, which gets the file's own line ends. */
  readonly new: string | Uint8Array;
  /** True replaces every match. Otherwise there must be exactly one, or nothing is changed. */
  readonly all?: boolean | undefined;
  /** SHA-256 in hex of the content to edit; throws FileChanged if the file has another. */
  readonly ifMatch?: string | undefined;
}

/** A file after an edit. */
export interface EditedFile extends FileInfo {
  /** Number of replaced matches. */
  readonly replacements: number;
}

/** Options of `info`. */
export interface InfoOptions extends SignalOption {
  /** True adds `sha256` for a regular file, which must be read whole for it. */
  readonly hash?: boolean | undefined;
}

/** Content to write to a file. */
export type FileContent =
  | string
  | Uint8Array
  | AsyncIterable<string | Uint8Array>
  | ReadableStream<string | Uint8Array>;
