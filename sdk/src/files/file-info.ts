import {
  CmdopError,
  type FileEntry,
  type FilesSkipped,
  FilesSkipped_Reason,
  type FilesWritten,
  FileType,
} from "@cmdop/proto";
import type { FileInfo, FileKind, FileWritten, SkippedPath } from "./types.ts";

const KINDS: Readonly<Partial<Record<FileType, FileKind>>> = {
  [FileType.FILE]: "file",
  [FileType.DIRECTORY]: "directory",
  [FileType.SYMLINK]: "symlink",
};

/** Converts an entry of the wire to the SDK's form. */
export function fileInfo(entry: FileEntry | undefined): FileInfo {
  if (entry === undefined) throw new CmdopError("Internal", "The machine answered without the file's entry.");
  const { name, path, type, size, mtimeMs, mode, uid, gid, linkTarget, sha256, unread, written } = entry;
  return {
    name,
    path,
    type: KINDS[type] ?? "other",
    size: Number(size),
    mtimeMs,
    mode,
    uid,
    gid,
    ...(linkTarget === undefined ? {} : { linkTarget }),
    ...(sha256 === undefined ? {} : { sha256: Buffer.from(sha256).toString("hex") }),
    ...(written === undefined ? {} : { written: writtenOf(written) }),
    ...(unread === undefined ? {} : { unread: skippedPath(unread) }),
  };
}

/** Converts the report of an unusual write to the SDK's form. */
export function writtenOf({ atomic, linkSplit, message }: FilesWritten): FileWritten {
  return { atomic, linkSplit, message };
}

const REASONS: Readonly<Partial<Record<FilesSkipped_Reason, SkippedPath["reason"]>>> = {
  [FilesSkipped_Reason.BINARY]: "binary",
  [FilesSkipped_Reason.TOO_LARGE]: "too_large",
  [FilesSkipped_Reason.LONG_LINE]: "long_line",
};

/** Converts a skipped path to the SDK's form. */
export function skippedPath({ path, reason, message }: FilesSkipped): SkippedPath {
  return { path, message, reason: REASONS[reason] ?? "unreadable" };
}
