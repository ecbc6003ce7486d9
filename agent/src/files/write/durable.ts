import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { unless } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import { shown } from "../place/path.ts";
import type { Pin } from "../place/pin.ts";
import { NO_SYNC } from "../unfinished/pour.ts";

/**
 * Makes a change of names in a directory and waits until the disk has it.
 * Where the agent may not read the directory, or the filesystem knows no such
 * wait, the change is made without it. Throws OutcomeUnknown when the change
 * was made but the disk fails to confirm it.
 */
export async function changeDurably(
  directory: Pin,
  path: string,
  change: () => Promise<void>,
): Promise<void> {
  // Opened before the change: a failure here still leaves everything as it was.
  const handle = await openNames(directory);
  if (handle === undefined) return change();
  await using held = handle;
  await change();
  try {
    await unless(NO_SYNC, held.sync());
  } catch (thrown) {
    throw new CmdopError(
      "OutcomeUnknown",
      `${shown(path)} was changed, but the disk did not confirm it: after a power failure the old content may be back.`,
      { cause: thrown },
    );
  }
}

/** Waits until the disk has the names in a directory, as far as that can be waited for. */
export async function syncNames(directory: Pin): Promise<void> {
  await using handle = await openNames(directory);
  await unless(NO_SYNC, handle?.sync() ?? Promise.resolve());
}

function openNames(directory: Pin): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  return unless(["EACCES"], open(`${directory.at}/.`, flags));
}
