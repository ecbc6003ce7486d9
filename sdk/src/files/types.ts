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
  /** Of a file that was just written: how, where it was not simply replaced at once. */
  readonly written?: FileWritten;
  /** Of a directory in a walk: why (all or some of) what lies in it is missing. */
  readonly unread?: SkippedPath;
}

/** How a file was written, where that was not as usual. */
export interface FileWritten {
  /** False: in place, since it could not be replaced (a mount point, say), or would not have kept what it has (other names, an ACL). Who read it meanwhile may have seen some of the old content and some of the new. */
  readonly atomic: boolean;
  /** True: its other names (hard links) keep the old content. */
  readonly linkSplit: boolean;
  /** The same in words, and why. */
  readonly message: string;
}

/** Something that a walk or a search passed over. */
export interface SkippedPath {
  readonly path: string;
  readonly reason: "unreadable" | "binary" | "too_large" | "long_line";
  /** Why, in words. */
  readonly message: string;
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

/** What has been copied so far. */
export interface CopyProgress {
  /** Bytes of content. */
  readonly bytes: number;
  /** Files, links and directories that were begun. */
  readonly entries: number;
}

/** Options of `move`. */
export interface MoveOptions extends SignalOption {
  /** Called now and then (about four times a second) and at the end; of a move only where it must copy, to another filesystem. */
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

/** Options of `walk`. Globs: `*`, `?`, `[a-z]`, `{a,b}` and `**`; without a slash they match names, with one paths below the directory. */
export interface WalkOptions extends SignalOption {
  /** Levels to go down: 1 is only the directory itself; all unless given, 256 at most. */
  readonly depth?: number | undefined;
  /** A glob, or 16 at most: only what one of them matches. */
  readonly name?: string | readonly string[] | undefined;
  /** Globs of what is left out with all that lies in it, as `node_modules`. */
  readonly exclude?: string | readonly string[] | undefined;
  /** False leaves out names that begin with a dot; true unless given. */
  readonly hidden?: boolean | undefined;
}

/** Options of `search`: `name`, `content` or both must be given. */
export interface SearchOptions extends WalkOptions {
  /** Matched against each line of each regular file: a regular expression, of which the flags i, s and u count, or plain text. */
  readonly content?: string | RegExp | undefined;
  /** True takes upper and lower case for the same. */
  readonly ignoreCase?: boolean | undefined;
  /** Lines shown before and after each matching line; 0 unless given, at most 20. */
  readonly contextLines?: number | undefined;
  /** The search ends after as many matching lines (without `content`: files); 1,000 unless given, at most 100,000. */
  readonly maxResults?: number | undefined;
  /** Larger files are passed over, and told of; 64 MiB unless given. */
  readonly maxFileBytes?: number | undefined;
}

/** A line that matches. */
export interface SearchMatch {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** Where in the line the first match begins, in UTF-16 units from 0, and how long it is. */
  readonly column: number;
  readonly length: number;
  /** The line without its end; of a long one the part around the match. */
  readonly text: string;
  /** Where in the line `text` begins: not 0 where a long line's beginning was cut off. */
  readonly textStart: number;
  /** The lines around it. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** What a search comes to; `ended` is the last: where `limited`, there may be more than was shown. */
export type SearchEvent =
  | { readonly type: "file"; readonly file: FileInfo }
  | ({ readonly type: "match" } & SearchMatch)
  | ({ readonly type: "skipped" } & SkippedPath)
  | { readonly type: "ended"; readonly files: number; readonly results: number; readonly limited: boolean };

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
  /** The exact text (or bytes) to find: spaces count. Lines may end with LF or CR LF, whichever the file has. */
  readonly old: string | Uint8Array;
  /** What takes its place, with the file's own line ends. */
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
