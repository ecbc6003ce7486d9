import { timingSafeEqual } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { posix } from "node:path";
import { unless } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import { type Boundary, refuseOwn } from "../place/boundary.ts";
import { PERMISSION_BITS } from "../place/mode.ts";
import { shown } from "../place/path.ts";
import { childOf, type Pin } from "../place/pin.ts";
import { notMatching } from "../read/content-hash.ts";
import { pour, restore } from "../unfinished/pour.ts";
import { temporaryName } from "../unfinished/temporary.ts";
import { isUnchanged } from "./condition.ts";
import { syncNames } from "./durable.ts";
import type { Spool } from "./spool.ts";

/** What is written over what. */
export interface Overwriting {
  readonly boundary: Boundary;
  /** The file, held. */
  readonly pin: Pin;
  /** Where it lies. */
  readonly path: string;
  /** What it gets. */
  readonly spool: Spool;
  /** SHA-256 that its content must have. */
  readonly ifMatch: Uint8Array | undefined;
}

const OVERWRITE = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY;
const CREATE = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW;

/** What setuid and setgid add to a mode. */
const PRIVILEGES = 0o6000n;

/**
 * Writes a file's next content over the one that it has. So it stays the same
 * file, with all that belongs to it; but who reads it meanwhile may see some of
 * both. The old content and the new lie on disk, and it is written down what is
 * under way, before the first byte is changed: what fails is put back, and after
 * a crash the next start goes on (unfinished/interrupted.ts).
 */
export async function writeOver({ boundary, pin, path, spool, ifMatch }: Overwriting): Promise<FileHandle> {
  await refuseOwn(boundary, pin, path, "write");
  await using stack = new AsyncDisposableStack();
  const file = stack.use(await open(pin.at, OVERWRITE));
  await using before = await keepContent(boundary, file, spool);
  if (ifMatch !== undefined && !timingSafeEqual(before.sha256, ifMatch)) {
    throw notMatching(path, "does not have the expected content");
  }
  await spool.makePrivate();
  await spool.file.sync();
  await syncNames(spool.directory);
  const over = { path, inode: String(pin.stats.ino), before: before.name };
  await boundary.unfinished?.noteOver(spool.path, spool.name, over);
  try {
    await pour(spool.file, file);
    await takePrivileges(file);
  } catch (thrown) {
    await putBack(before, file, spool, path, thrown);
    throw thrown;
  }
  stack.move();
  return file;
}

/** The old content, beside the new one. */
interface Before extends AsyncDisposable {
  readonly name: string;
  readonly file: FileHandle;
  readonly sha256: Buffer;
  /** Leaves it to the next start. */
  leave(): void;
}

async function keepContent(boundary: Boundary, file: FileHandle, spool: Spool): Promise<Before> {
  const name = temporaryName();
  const at = childOf(spool.directory, name);
  const note = await boundary.unfinished?.note(spool.path, name);
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => note?.[Symbol.dispose]());
  const copy = await open(at, CREATE, 0o600);
  cleanup.defer(async () => void (await unless(["ENOENT"], unlink(at))));
  cleanup.defer(() => copy.close());
  const stats = await file.stat({ bigint: true });
  const sha256 = await pour(file, copy);
  if (!isUnchanged(stats, await file.stat({ bigint: true }))) {
    throw notMatching(posix.join(spool.path, name), "was changed by somebody else at this very moment");
  }
  const held = cleanup.move();
  let isLeft = false;
  return {
    name,
    file: copy,
    sha256,
    leave: () => {
      isLeft = true;
    },
    [Symbol.asyncDispose]: () => (isLeft ? copy.close() : held.disposeAsync()),
  };
}

/** As the kernel does for whoever is not root: setuid and setgid were given to the old content. */
async function takePrivileges(file: FileHandle): Promise<void> {
  const { mode } = await file.stat({ bigint: true });
  if ((mode & PRIVILEGES) !== 0n) await file.chmod(Number(mode) & PERMISSION_BITS);
}

async function putBack(
  before: Before,
  file: FileHandle,
  spool: Spool,
  path: string,
  cause: unknown,
): Promise<void> {
  try {
    await restore(before.file, file);
  } catch (thrown) {
    before.leave();
    spool.leave();
    throw new CmdopError(
      "OutcomeUnknown",
      `${shown(path)} was being written in place, and neither that nor putting the old content back could be finished: it may have some of both.`,
      {
        cause: new SuppressedError(thrown, cause),
        next: "The agent goes on with it at its next start; look at the disk first.",
      },
    );
  }
}
