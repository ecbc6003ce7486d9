import { CmdopError, MAX_UNARY_CONTENT_BYTES } from "@cmdop/proto";
import type { Boundary } from "../place/boundary.ts";
import type { Entry } from "../place/entry.ts";
import { attempt } from "../place/errors.ts";
import { refuseDirectoryName } from "../place/named-directory.ts";
import { expandPath, shown } from "../place/path.ts";
import { Replacement, type WriteOptions } from "./replacement.ts";

/** Replaces a whole small file atomically. */
export function writeContent(
  boundary: Boundary,
  path: string,
  content: Uint8Array,
  options: WriteOptions,
): Promise<Entry> {
  return attempt("write", path, async () => {
    const asked = expandPath(path, boundary.home);
    refuseLargeContent(content, asked);
    await refuseDirectoryName(boundary, path);
    await using replacement = await Replacement.open(boundary, asked, options);
    await replacement.write(content);
    return await replacement.commit();
  });
}

/** Refuses content that is too large for one message. */
export function refuseLargeContent(content: Uint8Array, path: string): void {
  if (content.length <= MAX_UNARY_CONTENT_BYTES) return;
  throw new CmdopError(
    "MessageTooLarge",
    `The content for ${shown(path)} has ${content.length} bytes; one request carries ${MAX_UNARY_CONTENT_BYTES} at most.`,
    { next: "Write it as a stream: WriteStream, files.upload." },
  );
}
