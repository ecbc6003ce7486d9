import { constants } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { posix } from "node:path";
import { isErrno, unless } from "@cmdop/kit";
import { CmdopError, systemPath } from "@cmdop/proto";
import type { Boundary } from "../place/boundary.ts";
import { shown } from "../place/path.ts";
import { childOf, type Pin } from "../place/pin.ts";
import type { Place } from "../place/resolve.ts";
import { temporaryName } from "../unfinished/temporary.ts";

/** Permission bits of a new file, less the umask. */
export const FILE_MODE = 0o644;

/** Of what nobody shall read before it has its final mode. */
const PRIVATE_MODE = 0o600;

const RESUME = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const CREATE = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW;

/** Where content waits, beside the home directory, that can't lie where it goes: it is on a disk, and everybody's. */
const ELSEWHERE = "/var/tmp";

/** What says that a directory takes no new file, whatever is in it. ENOENT: it is there and held, but of the kernel's making. */
const NO_NEW_FILES = ["EACCES", "EPERM", "EROFS", "ENOENT"];

/** Filesystems that are the kernel's settings: there is nothing to be put back after a crash. */
const KERNELS = new Set([
  "proc",
  "sysfs",
  "cgroup",
  "cgroup2",
  "debugfs",
  "tracefs",
  "securityfs",
  "configfs",
]);

/** How a spool is opened. */
export interface SpoolOptions {
  /** Permission bits that the file will have; undefined: a new file's usual ones. */
  readonly mode: number | undefined;
  /** The name under which it is kept, so that the upload can be resumed. */
  readonly partial?: string | undefined;
  /** Bytes that are there already. */
  readonly offset: bigint;
}

/** The file that takes a file's next content while it arrives, written down as unfinished. Closed and removed when it is disposed of, unless it is to stay. */
export class Spool implements AsyncDisposable {
  readonly directory: Pin;
  /** Where the directory lies. */
  readonly path: string;
  readonly name: string;
  readonly file: FileHandle;
  /** Whether it lies beside the file, and can take its name. */
  readonly isBeside: boolean;
  readonly #note: Disposable | undefined;
  #stays = false;

  constructor(where: Where, name: string, file: FileHandle, note: Disposable | undefined) {
    this.directory = where.directory;
    this.path = where.path;
    this.isBeside = where.isBeside;
    this.name = name;
    this.file = file;
    this.#note = note;
  }

  /** A path of it for system calls. */
  get at(): string | Buffer {
    return childOf(this.directory, this.name);
  }

  /** It has another name, or is to be taken up again: it is not removed. `isOver`: there is nothing unfinished any more. */
  leave(isOver = false): void {
    this.#stays = true;
    if (isOver) this.#note?.[Symbol.dispose]();
  }

  /** Makes it this user's alone again, whatever it was given for its new name. */
  async makePrivate(): Promise<void> {
    const { uid, gid } = await this.file.stat();
    const [ourUid = uid, ourGid = gid] = [process.geteuid?.(), process.getegid?.()];
    if (uid !== ourUid || gid !== ourGid) await this.file.chown(ourUid, ourGid);
    await this.file.chmod(PRIVATE_MODE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _ = this.isBeside ? undefined : this.directory;
    await this.file.close();
    if (this.#stays) return;
    await unless(["ENOENT"], unlink(this.at));
    this.#note?.[Symbol.dispose]();
  }
}

interface Where {
  readonly directory: Pin;
  readonly path: string;
  readonly isBeside: boolean;
}

/** Opens a spool beside the place that its content is for. A file that is there and can be written gets one elsewhere, where its directory takes none. */
export async function openSpool(boundary: Boundary, place: Place, options: SpoolOptions): Promise<Spool> {
  const beside = { directory: place.directory, path: posix.dirname(place.path), isBeside: true };
  try {
    return await openIn(boundary, beside, options);
  } catch (thrown) {
    if (options.offset > 0n || !isErrno(thrown, ...NO_NEW_FILES)) throw thrown;
    const { type } = await boundary.pinning.locationOf(place.directory);
    if (KERNELS.has(type)) throw noNewFiles(place.path, thrown);
    if (place.leaf?.isFile() !== true) throw thrown;
    return await openElsewhere(boundary, options.mode, thrown);
  }
}

async function openElsewhere(boundary: Boundary, mode: number | undefined, thrown: unknown): Promise<Spool> {
  for (const path of [boundary.home, ELSEWHERE]) {
    using stack = new DisposableStack();
    const found = await unless(
      ["ENOENT", "ENOTDIR", "EACCES"],
      boundary.pinning.pin(systemPath(path), { follow: true, directory: true }),
    );
    if (found === undefined) continue;
    const directory = stack.use(found);
    const where = { directory, path: await boundary.pinning.locate(directory), isBeside: false };
    const spool = await unless(NO_NEW_FILES, openIn(boundary, where, { mode, offset: 0n }));
    if (spool === undefined) continue;
    stack.move();
    return spool;
  }
  throw thrown;
}

async function openIn(
  boundary: Boundary,
  where: Where,
  { mode, partial, offset }: SpoolOptions,
): Promise<Spool> {
  const name = partial ?? temporaryName();
  const note = await boundary.unfinished?.note(where.path, name, partial !== undefined);
  try {
    const flags = offset > 0n ? RESUME : CREATE;
    const file = await open(
      childOf(where.directory, name),
      flags,
      mode === undefined ? FILE_MODE : PRIVATE_MODE,
    );
    return new Spool(where, name, file, note);
  } catch (thrown) {
    // What an earlier stream has written is still there, so it stays written down.
    if (offset === 0n) note?.[Symbol.dispose]();
    throw thrown;
  }
}

/** A filesystem such as /proc has files of its own, and takes no others. */
function noNewFiles(path: string, cause: unknown): CmdopError {
  return new CmdopError(
    "AccessDenied",
    `Can't write ${shown(path)}: no new file can be made in its directory.`,
    {
      cause,
      next: "Files of /proc and /sys can't be replaced: change them in place, by append or with a command.",
    },
  );
}
