import { opendir } from "node:fs/promises";
import { DIRECTORY_BATCH_NAMES } from "./limits.ts";
import type { Pin } from "./pin.ts";

/** The names in a directory; to be read once, or closed by leaving the loop. */
export type Names = AsyncIterable<Buffer>;

/** Opens a directory for its names, so that it is known at once whether that may be. It must be read, if only in part. */
export async function openNames(directory: Pin): Promise<Names> {
  // latin1 maps each byte to one character and back: nothing is lost.
  const entries = await opendir(directory.at, { encoding: "latin1", bufferSize: DIRECTORY_BATCH_NAMES });
  return (async function* () {
    try {
      // Dir's own iterator is a way around `read`, by which the files process knows what its threads do.
      for (let entry = await entries.read(); entry !== null; entry = await entries.read()) {
        yield Buffer.from(entry.name, "latin1");
      }
    } finally {
      await entries.close();
    }
  })();
}

/** The names in a directory as the bytes that they are on disk, in no order; batch by batch, so that memory does not grow with the directory. */
export async function* rawNames(directory: Pin): AsyncGenerator<Buffer> {
  yield* await openNames(directory);
}
