import { CmdopError, type Files, type FilesWriteStreamRequest, type Handlers } from "@cmdop/proto";
import { appendContent } from "../files/append.ts";
import type { Boundary } from "../files/boundary.ts";
import { copy } from "../files/copy.ts";
import { edit } from "../files/edit.ts";
import { info } from "../files/info.ts";
import type { Landmark } from "../files/landmark.ts";
import { list } from "../files/list.ts";
import { makeDirectory } from "../files/mkdir.ts";
import { move } from "../files/move.ts";
import { expandPath } from "../files/path.ts";
import { systemPinning } from "../files/pin.ts";
import { readContent, streamContent } from "../files/read.ts";
import { remove } from "../files/remove.ts";
import { search } from "../files/search/search.ts";
import { makeSymlink } from "../files/symlink.ts";
import type { Unfinished } from "../files/unfinished.ts";
import { findPartial, receiveContent, type UploadPiece } from "../files/upload.ts";
import { walk } from "../files/walk.ts";
import { writeContent } from "../files/write.ts";
import type { Caller } from "../policy/caller.ts";
import { batched } from "./batched.ts";
import { reported } from "./copy-progress.ts";
import { entryBytes, eventBytes, searchMessage, toMessage } from "./files-messages.ts";

/** What the files service has to know of its machine. */
export interface FilesOptions {
  /** The agent's own state: refused to every caller. */
  readonly state: Landmark;
  /** The agent's own program and what starts it: changed by no caller. */
  readonly program: readonly Landmark[];
  /** What `~` stands for: the home of the user that jobs run as. */
  readonly home: string;
  /** Where it is written down what is being made. */
  readonly unfinished?: Unfinished | undefined;
}

/** What a caller's operations may touch. */
export function boundaries(options: FilesOptions): (caller: Caller) => Boundary {
  const { state, program, unfinished } = options;
  return ({ roots }) => {
    // At each call, since a changed policy may let jobs run as another user.
    const home = expandPath(options.home, options.home);
    return { home, state, program, roots, pinning: systemPinning, unfinished };
  };
}

/** The handlers of `Files`: they translate, the core in ../files does the work. */
export function filesHandlers(options: FilesOptions): Handlers<typeof Files, Caller> {
  const boundaryOf = boundaries(options);

  return {
    async list({ path, ...options }, { caller }) {
      const { entries, nextPage } = await list(boundaryOf(caller), path, options);
      return { entries: entries.map(toMessage), nextPage };
    },
    async *walk({ path, ...options }, { caller, signal }) {
      for await (const entries of batched(walk(boundaryOf(caller), path, options, signal), entryBytes)) {
        yield { entries: entries.map(toMessage) };
      }
    },
    async *search({ path, ...options }, { caller, signal }) {
      const events = search(boundaryOf(caller), path, options, signal);
      for await (const batch of batched(events, eventBytes)) yield searchMessage(batch);
    },
    read: ({ path, ...range }, { caller }) => readContent(boundaryOf(caller), path, range),
    async write({ path, content, ...options }, { caller, signal }) {
      const entry = await writeContent(boundaryOf(caller), path, content, { ...options, signal });
      return { entry: toMessage(entry) };
    },
    async append({ path, content, ...options }, { caller }) {
      return { entry: toMessage(await appendContent(boundaryOf(caller), path, content, options)) };
    },
    async edit({ path, ...options }, { caller, signal }) {
      const { entry, replacements } = await edit(boundaryOf(caller), path, options, signal);
      return { entry: toMessage(entry), replacements };
    },
    async delete({ path, recursive }, { caller, signal }) {
      await remove(boundaryOf(caller), path, { recursive }, signal);
      return {};
    },
    copy({ source, destination, ...options }, { caller, signal }) {
      return reported((progress) => copy(boundaryOf(caller), source, destination, options, signal, progress));
    },
    move({ source, destination, overwrite }, { caller, signal }) {
      return reported((progress) =>
        move(boundaryOf(caller), source, destination, { overwrite }, signal, progress),
      );
    },
    async mkdir({ path, ...options }, { caller }) {
      return { entry: toMessage(await makeDirectory(boundaryOf(caller), path, options)) };
    },
    async info({ path, hash }, { caller, signal }) {
      return { entry: toMessage(await info(boundaryOf(caller), path, { hash, signal })) };
    },
    async *readStream({ path, ...range }, { caller, signal }) {
      yield* streamContent(boundaryOf(caller), path, range, signal);
    },
    partial: ({ path, ...upload }, { caller }) => partial(boundaryOf(caller), path, upload),
    async symlink({ path, target, overwrite }, { caller }) {
      return { entry: toMessage(await makeSymlink(boundaryOf(caller), path, target, { overwrite })) };
    },
    async writeStream(requests, { caller, signal }) {
      const { header, pieces } = await opened(requests);
      const { path, ...options } = header;
      const { entry, kept } = await receiveContent(boundaryOf(caller), path, pieces, { ...options, signal });
      return entry === undefined ? { kept } : { entry: toMessage(entry) };
    },
  };
}

async function partial(boundary: Boundary, path: string, upload: { upload: Uint8Array; discard: boolean }) {
  const { size, entry } = await findPartial(boundary, path, upload);
  return { size, ...(entry === undefined ? {} : { entry: toMessage(entry) }) };
}

type Header = NonNullable<FilesWriteStreamRequest["header"]>;

/** An upload's header, and all its pieces, those of the first message among them. */
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
