import { existsSync, writeFileSync } from "node:fs";
import { diskError, isDiskTrouble, removeFile } from "../disk.ts";
import type { CmdopError } from "../errors/cmdop-error.ts";

/** Pause between two attempts to restore a spent reserve, in milliseconds: each attempt writes all of it. */
const RETRY_MS = 1_000;

/** Options of a reserve. */
export interface ReserveOptions {
  readonly file: string;
  /** Size of the reserve; 0 for none. */
  readonly bytes: number;
  /** Called when the reserve can't be made, or is in use. */
  readonly onTrouble: (message: string) => void;
}

/** Room on a disk for those who repair it when it is full: a file that is deleted to free its space. */
export class Reserve {
  readonly #options: ReserveOptions;
  /** Time and reason of the failure to make it, or of its use. */
  #missing: { readonly sinceMs: number; readonly why: CmdopError } | undefined;

  constructor(options: ReserveOptions) {
    this.#options = options;
  }

  /** The reason why there is no reserve, as of the last attempt. */
  get missing(): CmdopError | undefined {
    return this.#missing?.why;
  }

  /** Makes the reserve if it is missing; returns true if it exists. */
  lay(): boolean {
    const { file, bytes } = this.#options;
    if (bytes === 0 || existsSync(file)) return true;
    try {
      writeFileSync(file, Buffer.alloc(bytes), { mode: 0o600 });
      this.#missing = undefined;
      return true;
    } catch (thrown) {
      this.#removeRest();
      this.#miss(thrown);
      this.#options.onTrouble(`no reserve could be set aside in ${file}: ${String(thrown)}`);
      return false;
    }
  }

  /**
   * Throws while there is no reserve and no room for a new one: the remaining space is for those who repair
   * the disk.
   */
  check(): void {
    if (this.#missing === undefined) return;
    if (performance.now() - this.#missing.sinceMs > RETRY_MS) this.lay();
    if (this.#missing === undefined) return;
    throw new Error("the disk is full, its reserve in use", { cause: this.#missing.why });
  }

  /**
   * Frees the reserve's space after the disk has refused a write for this cause; returns false if there is
   * none.
   */
  spend(cause: unknown): boolean {
    const { file, onTrouble } = this.#options;
    if (!existsSync(file)) return false;
    try {
      removeFile(file);
    } catch (thrown) {
      // A disk that accepts no writes does not allow deletions either.
      onTrouble(`the reserve can't be used: ${String(thrown)}`);
      return false;
    }
    this.#miss(cause);
    onTrouble(`the disk is full: the reserve for owners and admins, ${file}, is in use`);
    return true;
  }

  #miss(cause: unknown): void {
    this.#missing = {
      sinceMs: performance.now(),
      why: diskError(cause, "write", this.#options.file),
    };
  }

  /** Deletes an incomplete reserve. */
  #removeRest(): void {
    try {
      removeFile(this.#options.file);
    } catch (thrown) {
      if (!isDiskTrouble(thrown)) throw thrown;
    }
  }
}
