import { CmdopError, type FileEntry, type FilesProgress } from "@cmdop/proto";
import { fileInfo } from "./file-info.ts";
import type { FileInfo, MoveOptions } from "./types.ts";

/**
 * Returns the entry that a copy or a move made, and reports to `onProgress` on the way.
 * @throws CmdopError LinkLost where the stream ended without it
 */
export async function lastEntry(
  messages: AsyncIterable<{ entry?: FileEntry | undefined; progress?: FilesProgress | undefined }>,
  { onProgress }: MoveOptions,
): Promise<FileInfo> {
  let last: FileEntry | undefined;
  for await (const { entry, progress } of messages) {
    last = entry;
    if (progress === undefined) continue;
    onProgress?.({ bytes: Number(progress.bytes), entries: Number(progress.entries) });
  }
  if (last !== undefined) return fileInfo(last);
  throw new CmdopError("LinkLost", "The machine's answer ended before it said what was made.");
}
