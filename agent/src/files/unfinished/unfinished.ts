import type { Boundary } from "../place/boundary.ts";
import { MAX_PARTIAL_AGE_MS, MAX_UNFINISHED } from "../place/limits.ts";
import { finishInterrupted } from "./interrupted.ts";
import { Partials } from "./partials.ts";
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
  async note(
    directory: string,
    name: string,
    { upload, keepMs }: Pick<Begun, "upload" | "keepMs"> = { upload: false },
  ): Promise<Disposable> {
    const kept = keepMs === undefined ? {} : { keepMs };
    await this.#notes.begin(name, { directory, upload, ...kept, atMs: Date.now() });
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

  /** What was begun under a temporary name; undefined where nothing was, or it is over. */
  begun(name: string): Begun | undefined {
    return this.#notes.begun.get(name);
  }

  /** The temporary names of the uploads. */
  get uploads(): readonly string[] {
    return [...this.#notes.begun].filter(([_, { upload }]) => upload).map(([name]) => name);
  }

  /** Whether a write in place that is to be finished needs it. */
  isNeeded(name: string): boolean {
    return [...this.#notes.begun.values()].some(({ over }) => over?.before === name);
  }

  /** Whether somebody may still go on with an upload. */
  isAwaited(name: string, { keepMs, atMs }: Begun): boolean {
    if (this.partials.isActive(name)) return true;
    return keepMs === undefined
      ? Date.now() - atMs < MAX_PARTIAL_AGE_MS
      : this.partials.idleMs(name) < keepMs;
  }
}
