import { existsSync, writeFileSync } from "node:fs";
import { diskError, isDiskTrouble, removeFile } from "../disk.ts";
import type { CmdopError } from "../errors/cmdop-error.ts";

/** Pause between two attempts to set a spent reserve aside again, in milliseconds: each writes it whole. */
const RETRY_MS = 1_000;

/** How a reserve is kept. */
export interface ReserveOptions {
  readonly file: string;
  /** 0 for none. */
  readonly bytes: number;
  /** Told when it can't be set aside, or is in use. */
  readonly onTrouble: (message: string) => void;
}

/** Room on a disk that is set aside for those who come to repair it when it is full: a file, which they delete. */
export class Reserve {
  readonly #options: ReserveOptions;
  /** When and why it could not be set aside, or was spent. */
  #missing: { readonly sinceMs: number; readonly why: CmdopError } | undefined;

  constructor(options: ReserveOptions) {
    this.#options = options;
  }

  /** Why there is none, as it was last seen. */
  get missing(): CmdopError | undefined {
    return this.#missing?.why;
  }

  /** Sets it aside where it is not yet; whether it is there. */
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

  /** Throws while there is none, and no room for another: what is left is for those who come to repair. */
  check(): void {
    if (this.#missing === undefined) return;
    if (performance.now() - this.#missing.sinceMs > RETRY_MS) this.lay();
    if (this.#missing === undefined) return;
    throw new Error("the disk is full, its reserve in use", { cause: this.#missing.why });
  }

  /** Gives the room back to the disk, which refused something for this cause; false where there is none. */
  spend(cause: unknown): boolean {
    const { file, onTrouble } = this.#options;
    if (!existsSync(file)) return false;
    try {
      removeFile(file);
    } catch (thrown) {
      // A disk that takes nothing gives nothing back either.
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

  /** Half of one is none. */
  #removeRest(): void {
    try {
      removeFile(this.#options.file);
    } catch (thrown) {
      if (!isDiskTrouble(thrown)) throw thrown;
    }
  }
}
