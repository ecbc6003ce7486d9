import {
  closeSync,
  fsync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { errnoOf, isErrno, unless } from "@cmdop/kit";
import { z } from "zod";

/** Which file is written over in place. */
export const OVER_FIELDS = {
  path: z.string().startsWith("/"),
  /** Its number in its filesystem. */
  inode: z.string(),
  /** The temporary name, in the same directory, of what was in the file before. */
  before: z.string(),
};

const lineSchema = z.strictObject({
  name: z.string(),
  /** What was begun; absent where it is over. */
  begun: z
    .strictObject({
      directory: z.string().startsWith("/"),
      /** It is an upload that can be resumed, also after a crash. */
      upload: z.boolean(),
      /** Milliseconds since 1970. */
      atMs: z.number(),
      /** It is being written over a file in place: to be finished after a crash. */
      over: z.strictObject(OVER_FIELDS).optional(),
    })
    .optional(),
});

type Line = z.infer<typeof lineSchema>;

/** Something that was begun under a temporary name. */
export type Begun = NonNullable<Line["begun"]>;

/** Where it is written down what is unfinished. */
export interface Notes {
  /** By temporary name. */
  readonly begun: ReadonlyMap<string, Begun>;
  /** Writes down what begins, and resolves when that is done. Throws where it can't be. */
  begin(name: string, begun: Begun): Promise<void> | void;
  /** Writes down that it is over. */
  end(name: string): void;
}

/** Bytes of the file beyond which it is written anew, with what is still unfinished alone. */
const MAX_LOG_BYTES = 1024 * 1024;

const synced = promisify(fsync);

/** The disk takes no more. */
const FULL = ["ENOSPC", "EDQUOT", "EROFS"];

/**
 * What is unfinished, in memory, and in a file that is only appended to. A file
 * of its own for each would cost more than the file that is made: ext4 without a
 * journal looks at every file that went away lately before it makes the next.
 */
export class UnfinishedLog implements Notes {
  readonly #file: string;
  readonly #begun: Map<string, Begun>;
  #descriptor: number | undefined;
  #bytes = 0;
  /** A line is missing in the file: the next one writes all of it. */
  #isBehind = true;
  #isClosed = false;

  /** Reads what there is; nothing is made before there is something to write down. */
  constructor(file: string) {
    this.#file = file;
    this.#begun = read(file);
  }

  get begun(): ReadonlyMap<string, Begun> {
    return this.#begun;
  }

  /** Writes down what begins. Throws what the disk says, but not that it is full: nothing but the cleaning up after a crash depends on the log, which is no reason not to work on another disk. */
  begin(name: string, begun: Begun): Promise<void> | void {
    const before = this.#begun.get(name);
    this.#begun.set(name, begun);
    const failure = this.#write({ name, begun });
    // A write in place that nobody knows of after a crash would never be finished.
    if (failure === undefined) return begun.over === undefined ? undefined : this.#synced();
    if (begun.over === undefined && isErrno(failure.thrown, ...FULL)) return;
    if (before === undefined) this.#begun.delete(name);
    else this.#begun.set(name, before);
    throw failure.thrown;
  }

  /** Resolves when the disk has what was written. */
  async #synced(): Promise<void> {
    if (this.#descriptor === undefined) return;
    // EBADF: the file was written anew meanwhile, and is on disk.
    await unless(["EBADF"], synced(this.#descriptor));
  }

  /** Writes down that it is over. Where that can't be, the next agent looks for what is gone, and finds nothing. */
  end(name: string): void {
    if (this.#begun.delete(name)) this.#write({ name });
  }

  /** Writes no more: from now on the file is the next agent's. */
  close(): void {
    this.#isClosed = true;
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** Writes a line, or all of them; what it failed with. */
  #write(line: Line): { readonly thrown: unknown } | undefined {
    if (this.#isClosed) return undefined;
    try {
      if (this.#descriptor === undefined || this.#isBehind || this.#bytes > MAX_LOG_BYTES) this.#rewrite();
      else this.#bytes += writeSync(this.#descriptor, textOf(line));
      this.#isBehind = false;
      return undefined;
    } catch (thrown) {
      this.#isBehind = true;
      return { thrown };
    }
  }

  /** Writes the file anew: nothing of an earlier agent's file is lost before the disk has all of it. */
  #rewrite(): void {
    const text = [...this.#begun].map(([name, begun]) => textOf({ name, begun })).join("");
    const next = `${this.#file}.next`;
    mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    const descriptor = openSync(next, "w", 0o600);
    try {
      writeFileSync(descriptor, text);
      fsyncSync(descriptor);
      renameSync(next, this.#file);
    } catch (thrown) {
      closeSync(descriptor);
      throw thrown;
    }
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = descriptor;
    // What stays is no reason to write it again soon.
    this.#bytes = 0;
  }
}

/** A line has a line of its own, whatever became of the one before. */
function textOf(line: Line): string {
  return `\n${JSON.stringify(line)}`;
}

function read(file: string): Map<string, Begun> {
  const begun = new Map<string, Begun>();
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
  }
  for (const line of text.split("\n")) {
    const said = lineSchema.safeParse(parsed(line));
    // Half a line is what a crash, or a full disk, left of one.
    if (!said.success) continue;
    if (said.data.begun === undefined) begun.delete(said.data.name);
    else begun.set(said.data.name, said.data.begun);
  }
  return begun;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
