import type { Scratch } from "../files/place/test-support.ts";
import { UnfinishedLog } from "../files/unfinished/unfinished-log.ts";
import { FilesProcess, type FilesProcessOptions } from "./files-process.ts";
import type { Scope } from "./told.ts";

/** A files process for one test, to be closed at its end. */
export function startFilesProcess(
  scratch: Scratch,
  options: Partial<FilesProcessOptions> = {},
): FilesProcess {
  return new FilesProcess({
    notes: new UnfinishedLog(scratch.at("unfinished.log")),
    everywhere: () => scopeIn(scratch, "cleaning"),
    user: () => undefined,
    onTrouble: (what, error) => {
      throw new Error(what, { cause: error });
    },
    log: { warn: () => undefined },
    ...options,
  });
}

/** What a key may touch: everything. */
export function scopeIn(scratch: Scratch, key: string): Scope {
  const { home, state, program, roots } = scratch.boundary();
  return { home, state, program, roots, key };
}
