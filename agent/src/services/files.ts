import { CmdopError, type Files, type FilesWriteStreamRequest, type Handlers } from "@cmdop/proto";
import type { Boundary } from "../files/place/boundary.ts";
import { info } from "../files/read/info.ts";
import { readContent, streamContent } from "../files/read/read.ts";
import { search } from "../files/search/search.ts";
import { copy } from "../files/tree/copy.ts";
import { list } from "../files/tree/list.ts";
import { makeDirectory } from "../files/tree/mkdir.ts";
import { move } from "../files/tree/move.ts";
import { remove } from "../files/tree/remove.ts";
import { makeSymlink } from "../files/tree/symlink.ts";
import { walk } from "../files/tree/walk.ts";
import { appendContent } from "../files/write/append.ts";
import { edit } from "../files/write/edit.ts";
import { findPartial, receiveContent, type UploadPiece } from "../files/write/upload.ts";
import { writeContent } from "../files/write/write.ts";
import { batched } from "./batched.ts";
import { reported } from "./copy-progress.ts";
import { entryBytes, eventBytes, searchMessage, toMessage, withAttributes } from "./files-messages.ts";

/**
 * Returns the handlers of `Files` in the files process. They translate, and the core in ../files does the
 * work. A caller is represented by its boundary.
 */
export function filesHandlers(): Handlers<typeof Files, Boundary> {
  return {
    async list({ path, ...options }, { caller }) {
      const { entries, nextPage } = await list(caller, path, options);
      return { entries: entries.map(toMessage), nextPage };
    },
    async *walk({ path, ...options }, { caller, signal }) {
      for await (const entries of batched(walk(caller, path, options, signal), entryBytes)) {
        yield { entries: entries.map(toMessage) };
      }
    },
    async *search({ path, ...options }, { caller, signal }) {
      const events = search(caller, path, options, signal);
      for await (const batch of batched(events, eventBytes)) yield searchMessage(batch);
    },
    read: ({ path, ...range }, { caller }) => readContent(caller, path, range),
    async write({ path, content, ...options }, { caller, signal }) {
      const entry = await writeContent(caller, path, content, { ...withAttributes(options), signal });
      return { entry: toMessage(entry) };
    },
    async append({ path, content, ...options }, { caller }) {
      return { entry: toMessage(await appendContent(caller, path, content, options)) };
    },
    async edit({ path, ...options }, { caller, signal }) {
      const { entry, replacements } = await edit(caller, path, options, signal);
      return { entry: toMessage(entry), replacements };
    },
    async delete({ path, recursive }, { caller, signal }) {
      await remove(caller, path, { recursive }, signal);
      return {};
    },
    copy({ source, destination, ...options }, { caller, signal }) {
      return reported((progress) => copy(caller, source, destination, options, signal, progress));
    },
    move({ source, destination, overwrite }, { caller, signal }) {
      return reported((progress) => move(caller, source, destination, { overwrite }, signal, progress));
    },
    async mkdir({ path, ...options }, { caller }) {
      return { entry: toMessage(await makeDirectory(caller, path, withAttributes(options))) };
    },
    async info({ path, hash }, { caller, signal }) {
      return { entry: toMessage(await info(caller, path, { hash, signal })) };
    },
    async *readStream({ path, ...range }, { caller, signal }) {
      yield* streamContent(caller, path, range, signal);
    },
    partial: ({ path, ...upload }, { caller }) => partial(caller, path, upload),
    async symlink({ path, target, ...options }, { caller }) {
      return { entry: toMessage(await makeSymlink(caller, path, target, options)) };
    },
    async writeStream(requests, { caller, signal }) {
      const { header, pieces } = await opened(requests);
      const { path, keepS, ...options } = header;
      const keepMs = keepS === 0 ? undefined : keepS * 1_000;
      const settings = { ...withAttributes(options), keepMs, signal };
      const { entry, kept } = await receiveContent(caller, path, pieces, settings);
      return entry === undefined ? { kept } : { entry: toMessage(entry) };
    },
  };
}

async function partial(boundary: Boundary, path: string, upload: { upload: Uint8Array; discard: boolean }) {
  const { size, entry } = await findPartial(boundary, path, upload);
  return { size, ...(entry === undefined ? {} : { entry: toMessage(entry) }) };
}

type Header = NonNullable<FilesWriteStreamRequest["header"]>;

/** Reads an upload's header, and returns it with all pieces, including that of the first message. */
async function opened(
  requests: AsyncIterable<FilesWriteStreamRequest>,
): Promise<{ header: Header; pieces: AsyncIterable<UploadPiece> }> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  const header = first.done === true ? undefined : first.value.header;
  if (first.done === true || header === undefined) {
    throw new CmdopError("InvalidArgument", "An upload begins with a message that has a header.");
  }
  const pieces = async function* (): AsyncGenerator<UploadPiece> {
    yield first.value;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      if (next.value.header !== undefined) {
        throw new CmdopError("InvalidArgument", "Only the first message of an upload has a header.");
      }
      yield next.value;
    }
  };
  return { header, pieces: pieces() };
}
