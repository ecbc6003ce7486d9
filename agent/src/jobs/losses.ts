import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { removeDirectory } from "@cmdop/proto";

/** Sets of what was set aside that are kept, the newest: each may be as large as all output of all jobs. */
const MAX_KEPT = 2;

/** What the agent does not know any more, kept for a person to look at: it is never thrown away in silence. */
export class Losses {
  readonly #directory: string;
  readonly #onLoss: (what: string) => void;
  /** Where what is lost in this life goes. */
  #place: string | undefined;

  /** `directory`: of the jobs; nothing is made before something is lost. */
  constructor(directory: string, onLoss: (what: string) => void) {
    this.#directory = join(directory, "lost");
    this.#onLoss = onLoss;
  }

  /** Says a loss. */
  say(what: string): void {
    this.#onLoss(what);
  }

  /** Moves what belongs to a loss out of the way, and says it; without paths nothing is lost. @throws what the file system says */
  setAside(paths: readonly string[], what: string): void {
    if (paths.length === 0) return;
    const place = this.#open();
    for (const path of paths) renameSync(path, join(place, basename(path)));
    this.#onLoss(`The agent has lost ${what}. What there is of it was set aside in ${place}.`);
  }

  #open(): string {
    if (this.#place !== undefined) return this.#place;
    const name = new Date().toISOString().replaceAll(":", "-");
    const place = join(this.#directory, name);
    mkdirSync(place, { recursive: true, mode: 0o700 });
    this.#place = place;
    const kept = readdirSync(this.#directory).sort();
    for (const old of kept.slice(0, -MAX_KEPT)) {
      removeDirectory(join(this.#directory, old));
      this.#onLoss(`What was set aside in ${old} was deleted: the newest ${MAX_KEPT} losses are kept.`);
    }
    return place;
  }
}
