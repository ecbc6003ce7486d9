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
}

/** Options of `list`. */
export interface ListOptions {
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
export interface ReadOptions {
  /** First byte; 0 unless given. */
  readonly offset?: number | undefined;
  /** Bytes at most; to the end unless given. */
  readonly length?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of `write`. */
export interface WriteOptions {
  /** Permission bits of a new file; an existing one keeps its own. */
  readonly mode?: number | undefined;
  /** True makes missing directories. */
  readonly createParents?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a file can be written from. */
export type FileContent = string | Uint8Array | AsyncIterable<string | Uint8Array>;
