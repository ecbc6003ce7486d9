import { unless } from "@cmdop/kit";
import { systemPath } from "@cmdop/proto";
import type { Boundary } from "../place/boundary.ts";
import { MAX_PARTIAL_AGE_MS, MAX_UNFINISHED, MAX_UNFINISHED_AGE_MS } from "../place/limits.ts";
import { childOf } from "../place/pin.ts";
import { removePinned } from "../tree/remove.ts";
import { finishInterrupted } from "./interrupted.ts";
import { Partials } from "./partials.ts";
import { TEMPORARY_NAME } from "./temporary.ts";
import type { Begun, Notes } from "./unfinished-log.ts";

/**
 * What is being made under a temporary name, written down in the agent's state:
 * so that after a crash the next agent knows where to clean up.
 */
export class Unfinished {
  readonly #notes: Notes;
  /** The uploads among it. */
  readonly partials = new Partials();

  constructor(notes: Notes) {
    this.#notes = notes;
  }

  /** Writes down, before it is made, what will be made; disposed when it has its own name or is gone. */
  async note(directory: string, name: string, upload = false): Promise<Disposable> {
    await this.#notes.begin(name, { directory, upload, atMs: Date.now() });
    return { [Symbol.dispose]: () => this.forget(name) };
  }

  /** Writes down, on disk, that something will be written over a file in place. Over when the note of its name is. */
  async noteOver(directory: string, name: string, over: NonNullable<Begun["over"]>): Promise<void> {
    await this.#notes.begin(name, { directory, upload: false, atMs: Date.now(), over });
  }

  /** Goes on with what was being written in place when an earlier process ended. `onTrouble` is told what can't be finished. */
  async finish(boundary: Boundary, onTrouble: (what: string, error: unknown) => void): Promise<void> {
    for (const [name, begun] of [...this.#notes.begun]) {
      if (begun.over === undefined) continue;
      try {
        const { over: _, ...rest } = begun;
        if (await finishInterrupted(boundary, name, begun)) await this.#notes.begin(name, rest);
      } catch (thrown) {
        onTrouble("a file that was being written in place", thrown);
      }
    }
  }

  /** Whether something is there to be finished. */
  get isInterrupted(): boolean {
    return [...this.#notes.begun.values()].some(({ over }) => over !== undefined);
  }

  /** Forgets what is gone. */
  forget(name: string): void {
    this.#notes.end(name);
  }

  /** Whether an upload of this name was begun in this directory. */
  isUpload(directory: string, name: string): boolean {
    const begun = this.#notes.begun.get(name);
    return begun?.upload === true && begun.directory === directory;
  }

  /** Whether there is so much unfinished that an upload should not be kept. */
  get isCrowded(): boolean {
    return this.#notes.begun.size >= MAX_UNFINISHED;
  }

  /** The temporary names of what is unfinished: before this agent begins anything, what earlier ones have left. */
  get left(): readonly string[] {
    return [...this.#notes.begun.keys()];
  }

  /** Removes the uploads that nobody has resumed in time. */
  async sweep(boundary: Boundary, onTrouble: (what: string, error: unknown) => void): Promise<void> {
    const uploads = [...this.#notes.begun].filter(([_, { upload }]) => upload);
    await this.clean(
      boundary,
      uploads.map(([name]) => name),
      onTrouble,
    );
  }

  /** Removes what was left. `onTrouble` is told what could not be removed; it is tried again at the next start. */
  async clean(
    boundary: Boundary,
    left: readonly string[],
    onTrouble: (what: string, error: unknown) => void,
  ): Promise<void> {
    for (const name of left) {
      try {
        const begun = this.#notes.begun.get(name);
        if (begun !== undefined && (await this.#isCleaned(boundary, name, begun))) this.forget(name);
      } catch (thrown) {
        onTrouble("a file that was left unfinished", thrown);
      }
    }
  }

  /** Whether a write in place that is to be finished needs it. */
  #isNeeded(name: string): boolean {
    return [...this.#notes.begun.values()].some(({ over }) => over?.before === name);
  }

  /** Whether it can be forgotten: it is gone, or its directory has been away for too long. */
  async #isCleaned(
    boundary: Boundary,
    name: string,
    { directory, upload, atMs, over }: Begun,
  ): Promise<boolean> {
    if (!TEMPORARY_NAME.test(name)) return true;
    const ageMs = Date.now() - atMs;
    if (ageMs < MAX_UNFINISHED_AGE_MS && (over !== undefined || this.#isNeeded(name))) return false;
    if (upload && (ageMs < MAX_PARTIAL_AGE_MS || this.partials.isActive(name))) return false;
    const found = await unless(["ENOENT", "ENOTDIR"], boundary.pinning.pin(systemPath(directory)));
    // It may lie on a disk that is not there now.
    if (found === undefined) return ageMs > MAX_UNFINISHED_AGE_MS;
    using parent = found;
    const left = await unless(["ENOENT", "ENOTDIR"], boundary.pinning.pin(childOf(parent, name)));
    if (left === undefined) return true;
    using pin = left;
    const signal = new AbortController().signal;
    await removePinned(
      { boundary, verb: "clean up", signal },
      { path: directory, depth: 0 },
      parent,
      name,
      pin,
      true,
    );
    return true;
  }
}
