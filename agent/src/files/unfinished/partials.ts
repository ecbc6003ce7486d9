import type { Hash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { BoundedMap } from "@cmdop/kit";
import { CmdopError } from "@cmdop/proto";
import type { Entry } from "../place/entry.ts";
import { MAX_REMEMBERED_UPLOADS } from "../place/limits.ts";
import { shown } from "../place/path.ts";
import { TEMPORARY_PREFIX } from "./temporary.ts";

/** Bytes of an upload's name: as many as in a temporary's name. */
const UPLOAD_BYTES = 8;

/** What an upload that can be resumed is called on disk; undefined for one that can't. Throws InvalidArgument. */
export function partialName(upload: Uint8Array): string | undefined {
  if (upload.length === 0) return undefined;
  if (upload.length === UPLOAD_BYTES) return TEMPORARY_PREFIX + Buffer.from(upload).toString("hex");
  throw new CmdopError(
    "InvalidArgument",
    `An upload's name has ${UPLOAD_BYTES} bytes, not ${upload.length}.`,
  );
}

/** What is known of an upload's content beside that it is there. */
export interface Kept {
  /** The file as its last stream left it: as long as it is this, the hash is right. */
  readonly stats: BigIntStats;
  /** Of the content so far; to be copied, not finished. */
  readonly hash: Hash;
}

/** One stream that is writing to an upload. */
export interface Writing extends Disposable {
  /** Aborts when another stream goes on with the upload. */
  readonly signal: AbortSignal;
  /** What an earlier stream left, while it is remembered: it need not be read again. */
  readonly kept: Kept | undefined;
  /** Remembers what this stream leaves. */
  leave(kept: Kept): void;
  /** Remembers what the upload came to. */
  done(entry: Entry): void;
}

interface Active {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/**
 * The uploads that can be resumed: which are being written to, so that no two
 * streams write to one, and which have been committed, so that a writer whose
 * answer was lost can ask.
 */
export class Partials {
  readonly #active = new Map<string, Active>();
  readonly #done = new BoundedMap<string, Entry>(MAX_REMEMBERED_UPLOADS);
  readonly #kept = new BoundedMap<string, Kept>(MAX_REMEMBERED_UPLOADS);
  readonly #discarded = new BoundedMap<string, true>(MAX_REMEMBERED_UPLOADS);
  /** By the name alone, on the clock that nobody sets. */
  readonly #leftAtMs = new BoundedMap<string, number>(MAX_REMEMBERED_UPLOADS);
  readonly #startedAtMs = performance.now();

  /** Begins to write, when whoever wrote so far has stopped. */
  async enter(path: string, name: string): Promise<Writing> {
    await this.stop(path, name);
    const key = keyOf(path, name);
    if (this.#discarded.has(key)) {
      throw new CmdopError(
        "Canceled",
        `The upload to ${shown(path)} was given up before this stream of it came.`,
      );
    }
    const stop = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const active = { stop, ended: promise };
    this.#active.set(key, active);
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    return {
      signal: stop.signal,
      kept,
      leave: (left) => this.#kept.set(key, left),
      done: (entry) => this.#done.set(key, entry),
      [Symbol.dispose]: () => {
        if (this.#active.get(key) === active) this.#active.delete(key);
        this.#leftAtMs.set(name, performance.now());
        resolve();
      },
    };
  }

  /** Ends a stream that still writes, as one does whose sender has long been cut off, and waits for its end. */
  async stop(path: string, name: string): Promise<void> {
    for (let found = this.#active.get(keyOf(path, name)); found !== undefined; ) {
      found.stop.abort();
      await found.ended;
      found = this.#active.get(keyOf(path, name));
    }
  }

  /** The same for good: a stream that was on its way is refused when it comes. */
  async discard(path: string, name: string): Promise<void> {
    this.#discarded.set(keyOf(path, name), true);
    await this.stop(path, name);
  }

  /** Since when nothing has been written to an upload of this name, as far as this process knows, in milliseconds. */
  idleMs(name: string): number {
    return performance.now() - (this.#leftAtMs.get(name) ?? this.#startedAtMs);
  }

  /** What an upload came to, while it is remembered. */
  committed(path: string, name: string): Entry | undefined {
    return this.#done.get(keyOf(path, name));
  }

  /** Whether anything is writing to an upload of this name. */
  isActive(name: string): boolean {
    return [...this.#active.keys()].some((key) => key.startsWith(name));
  }
}

/** Whoever names an upload may write to its path: a name seen elsewhere is of no use. */
function keyOf(path: string, name: string): string {
  return `${name} ${path}`;
}
