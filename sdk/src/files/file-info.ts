import { CmdopError, type FileEntry, FileType } from "@cmdop/proto";
import type { FileInfo, FileKind } from "./types.ts";

const KINDS: Readonly<Partial<Record<FileType, FileKind>>> = {
  [FileType.FILE]: "file",
  [FileType.DIRECTORY]: "directory",
  [FileType.SYMLINK]: "symlink",
};

/** An entry of the wire as the SDK gives it. */
export function fileInfo(entry: FileEntry | undefined): FileInfo {
  if (entry === undefined) throw new CmdopError("Internal", "The machine answered without the file's entry.");
  const { name, path, type, size, mtimeMs, mode, uid, gid, linkTarget, sha256 } = entry;
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
  };
}
