import type { Files, Handlers } from "@cmdop/proto";
import type { Landmark } from "../files/place/landmark.ts";
import type { FileCalls } from "../files-process/file-calls.ts";
import type { FileWork } from "../files-process/files-process.ts";
import type { Scope } from "../files-process/told.ts";
import type { Caller } from "../policy/caller.ts";

/** The machine's facts that the files service needs. */
export interface FilesOptions {
  readonly work: FileWork;
  /** The agent's own state, to which no caller has access. */
  readonly state: Landmark;
  /** The agent's own program, and the files that start it, which no caller may change. */
  readonly program: readonly Landmark[];
  /** The directory for which `~` stands: the home of the user that jobs run as. */
  readonly home: string;
}

/** Returns a caller's present limits: a changed policy may let jobs run as another user. */
export function scopeOf(
  { state, program, home }: Omit<FilesOptions, "work">,
  { keyId, roots }: Caller,
): Scope {
  return { home, state, program, roots, key: keyId };
}

/** Returns a function that limits file operations to those of a caller. */
export function filesOf(options: FilesOptions): (caller: Caller) => FileCalls {
  return (caller) => options.work.within(scopeOf(options, caller));
}

/** Returns the handlers of `Files` in the agent: admitted calls are carried out by the files process. */
export function forwardedFiles(options: FilesOptions): Handlers<typeof Files, Caller> {
  const files = filesOf(options);
  return {
    list: (request, { caller, signal }) => files(caller).list(request, { signal }),
    walk: (request, { caller, signal }) => files(caller).walk(request, { signal, recycles: true }),
    search: (request, { caller, signal }) => files(caller).search(request, { signal, recycles: true }),
    read: (request, { caller, signal }) => files(caller).read(request, { signal }),
    write: (request, { caller, signal }) => files(caller).write(request, { signal }),
    append: (request, { caller, signal }) => files(caller).append(request, { signal }),
    edit: (request, { caller, signal }) => files(caller).edit(request, { signal }),
    delete: (request, { caller, signal }) => files(caller).delete(request, { signal }),
    copy: (request, { caller, signal }) => files(caller).copy(request, { signal }),
    move: (request, { caller, signal }) => files(caller).move(request, { signal }),
    mkdir: (request, { caller, signal }) => files(caller).mkdir(request, { signal }),
    info: (request, { caller, signal }) => files(caller).info(request, { signal }),
    readStream: (request, { caller, signal }) =>
      files(caller).readStream(request, { signal, recycles: true }),
    writeStream: (requests, { caller, signal }) => files(caller).writeStream(requests, { signal }),
    partial: (request, { caller, signal }) => files(caller).partial(request, { signal }),
    symlink: (request, { caller, signal }) => files(caller).symlink(request, { signal }),
  };
}
