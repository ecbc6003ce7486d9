import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Boundary } from "./boundary.ts";
import { errnoOf, unless } from "./errors.ts";
import { MAX_PARTIAL_AGE_MS, MAX_UNFINISHED, MAX_UNFINISHED_AGE_MS } from "./limits.ts";
import { Partials } from "./partials.ts";
import { childOf } from "./pin.ts";
import { removePinned } from "./remove.ts";
import { TEMPORARY_NAME } from "./temporary.ts";

const recordSchema = z.strictObject({
  directory: z.string().startsWith("/"),
  /** It is an upload that can be resumed, also after a crash. */
  upload: z.boolean().default(false),
});

/**
 * What is being made under a temporary name, written down in the agent's state:
 * so that after a crash the next agent knows where to clean up. A record is a
 * file with the temporary's name.
 */
export class Unfinished {
  readonly #directory: string;
  /** The uploads among it. */
  readonly partials = new Partials();

  /** `directory`: for the records; made when it is needed. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Writes down, before it is made, what will be made; disposed when it has its own name or is gone. */
  async note(directory: string, name: string, upload = false): Promise<AsyncDisposable> {
    const record = join(this.#directory, name);
    const write = () => writeFile(record, JSON.stringify({ directory, upload }), { mode: 0o600 });
    try {
      const written = await unless(
        ["ENOENT"],
        write().then(() => true),
      );
      if (written === undefined) {
        await mkdir(this.#directory, { recursive: true, mode: 0o700 });
        await write();
      }
    } catch (thrown) {
      // Nothing but the cleaning up after a crash depends on it: no reason not to write to another disk.
      if (!["ENOSPC", "EDQUOT", "EROFS"].includes(errnoOf(thrown) ?? "")) throw thrown;
    }
    return { [Symbol.asyncDispose]: () => rm(record, { force: true }) };
  }

  /** Forgets what is gone. */
  async forget(name: string): Promise<void> {
    await rm(join(this.#directory, name), { force: true });
  }

  /** Whether an upload of this name was begun in this directory. */
  async isUpload(directory: string, name: string): Promise<boolean> {
    const text = await unless(["ENOENT"], readFile(join(this.#directory, name), "utf8"));
    if (text === undefined || text === "") return false;
    const record = recordSchema.parse(JSON.parse(text));
    return record.upload && record.directory === directory;
  }

  /** Whether there is so much unfinished that an upload should not be kept. */
  async isCrowded(): Promise<boolean> {
    return (await this.left()).length >= MAX_UNFINISHED;
  }

  /** Removes the uploads that nobody has resumed in time. */
  async sweep(boundary: Boundary, onTrouble: (what: string, error: unknown) => void): Promise<void> {
    for (const name of await this.left()) {
      const record = join(this.#directory, name);
      try {
        const text = await unless(["ENOENT"], readFile(record, "utf8"));
        if (text === undefined || text === "" || !recordSchema.parse(JSON.parse(text)).upload) continue;
        if (await this.#cleaned(boundary, record, name)) await rm(record, { force: true });
      } catch (thrown) {
        onTrouble("an upload that was left unfinished", thrown);
      }
    }
  }

  /** What earlier agents have left unfinished: all that is written down before this one begins anything. */
  async left(): Promise<readonly string[]> {
    return (await unless(["ENOENT"], readdir(this.#directory))) ?? [];
  }

  /** Removes what was left. `onTrouble` is told what could not be removed; it is tried again at the next start. */
  async clean(
    boundary: Boundary,
    left: readonly string[],
    onTrouble: (what: string, error: unknown) => void,
  ): Promise<void> {
    for (const name of left) {
      const record = join(this.#directory, name);
      try {
        if (await this.#cleaned(boundary, record, name)) await rm(record, { force: true });
      } catch (thrown) {
        onTrouble("a file that was left unfinished", thrown);
      }
    }
  }

  /** Whether a record can go: what it names is gone, or its directory has been away for too long. */
  async #cleaned(boundary: Boundary, record: string, name: string): Promise<boolean> {
    const { directory, upload } = recordSchema.parse(JSON.parse(await readFile(record, "utf8")));
    if (!TEMPORARY_NAME.test(name)) return true;
    const isYoung = Date.now() - (await stat(record)).mtimeMs < MAX_PARTIAL_AGE_MS;
    if (upload && (isYoung || this.partials.isActive(name))) return false;
    const found = await unless(["ENOENT", "ENOTDIR"], boundary.pinning.pin(directory, false));
    if (found === undefined) {
      // It may lie on a disk that is not there now.
      return Date.now() - (await stat(record)).mtimeMs > MAX_UNFINISHED_AGE_MS;
    }
    using parent = found;
    const left = await unless(["ENOENT", "ENOTDIR"], boundary.pinning.pin(childOf(parent, name), false));
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
