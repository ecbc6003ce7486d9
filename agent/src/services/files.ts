import { CmdopError, type Files, type FilesWriteStreamRequest, FileType, type Handlers } from "@cmdop/proto";
import type { Boundary } from "../files/boundary.ts";
import { copy } from "../files/copy.ts";
import type { Entry, EntryType } from "../files/entry.ts";
import { info } from "../files/info.ts";
import { list } from "../files/list.ts";
import { makeDirectory } from "../files/mkdir.ts";
import { move } from "../files/move.ts";
import { expandPath } from "../files/path.ts";
import { systemPinning } from "../files/pin.ts";
import { readContent, streamContent } from "../files/read.ts";
import { remove } from "../files/remove.ts";
import { receiveContent, type UploadPiece } from "../files/upload.ts";
import { writeContent } from "../files/write.ts";
import type { Caller } from "../policy/caller.ts";

/** What the files service has to know of its machine. */
export interface FilesOptions {
  /** The agent's own state: refused to every caller. */
  readonly stateDir: string;
  /** What `~` stands for: the home of the user that jobs run as. */
  readonly home: string;
}

/** What a caller's operations may touch. */
export function boundaries(options: FilesOptions): (caller: Caller) => Boundary {
  return ({ roots }) => {
    // At each call, since a changed policy may let jobs run as another user.
    const home = expandPath(options.home, options.home);
    return { home, stateDir: expandPath(options.stateDir, home), roots, pinning: systemPinning };
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
    read: ({ path, ...range }, { caller }) => readContent(boundaryOf(caller), path, range),
    async write({ path, content, ...options }, { caller }) {
      return { entry: toMessage(await writeContent(boundaryOf(caller), path, content, options)) };
    },
    async delete({ path, recursive }, { caller, signal }) {
      await remove(boundaryOf(caller), path, { recursive }, signal);
      return {};
    },
    async copy({ source, destination, ...options }, { caller, signal }) {
      return { entry: toMessage(await copy(boundaryOf(caller), source, destination, options, signal)) };
    },
    async move({ source, destination, overwrite }, { caller, signal }) {
      const moved = await move(boundaryOf(caller), source, destination, { overwrite }, signal);
      return { entry: toMessage(moved) };
    },
    async mkdir({ path, ...options }, { caller }) {
      return { entry: toMessage(await makeDirectory(boundaryOf(caller), path, options)) };
    },
    async info({ path }, { caller }) {
      return { entry: toMessage(await info(boundaryOf(caller), path)) };
    },
    async *readStream({ path, ...range }, { caller, signal }) {
      for await (const data of streamContent(boundaryOf(caller), path, range, signal)) yield { data };
    },
    async writeStream(requests, { caller }) {
      const { header, pieces } = await opened(requests);
      const { path, ...options } = header;
      return { entry: toMessage(await receiveContent(boundaryOf(caller), path, pieces, options)) };
    },
  };
}

const FILE_TYPES: Readonly<Record<EntryType, FileType>> = {
  file: FileType.FILE,
  directory: FileType.DIRECTORY,
  symlink: FileType.SYMLINK,
  other: FileType.OTHER,
};

function toMessage({ type, ...entry }: Entry) {
  return { ...entry, type: FILE_TYPES[type] };
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
