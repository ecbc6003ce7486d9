import { spawnSync } from "node:child_process";
import type { Readable } from "node:stream";
import tty from "node:tty";
import { CmdopError } from "@cmdop/sdk";

/** A terminal's size in characters. */
export interface Size {
  readonly cols: number;
  readonly rows: number;
}

/** What programs take for granted where no terminal says otherwise. */
const DEFAULT_SIZE: Size = { cols: 80, rows: 24 };

/** The most that a machine's terminal can have, either way. */
const MAX_SIZE = 500;

/** The size of this process's terminal; what programs take for granted where there is none. */
export function terminalSize(): Size {
  const { columns = 0, rows = 0 } = screen() ?? {};
  if (columns === 0 || rows === 0) return DEFAULT_SIZE;
  return { cols: Math.min(columns, MAX_SIZE), rows: Math.min(rows, MAX_SIZE) };
}

/** Whichever of our streams knows a size, and its changes. */
function screen(): tty.WriteStream | undefined {
  return [process.stdout, process.stderr].find((stream) => stream instanceof tty.WriteStream);
}

/**
 * This process's own terminal, as far as it has one: keys come from standard
 * input, raw where that is a terminal, and output goes to standard output. When it
 * is disposed of, or the process ends in any way that Node can see, the terminal
 * is as it was.
 */
export class LocalTerminal implements Disposable {
  readonly keys: Readable = process.stdin;
  /** Whether a person types: then the keys come one by one, Ctrl-C too. */
  readonly isInteractive: boolean = process.stdin.isTTY === true;
  readonly #undo: () => string;
  readonly #screen = screen();
  readonly #restore = (): void => this[Symbol.dispose]();
  #onResize: (() => void) | undefined;
  #isRestored = false;
  #writeError: Error | undefined;

  /** Takes the terminal over. `undo` says at the end what resets the modes that programs have left on. */
  constructor(undo: () => string) {
    this.#undo = undo;
    process.stdout.on("error", (error) => {
      this.#writeError ??= error;
    });
    if (!this.isInteractive) return;
    process.on("exit", this.#restore);
    process.stdin.setRawMode(true);
    this.#passOutputThrough();
  }

  /** The size, where standard output is a screen. */
  get screenSize(): Size | undefined {
    return process.stdout.isTTY ? terminalSize() : undefined;
  }

  /** Calls this one listener on every change of the size, until the terminal is given back. */
  onResize(listener: () => void): void {
    this.#onResize = listener;
    this.#screen?.on("resize", listener);
  }

  /** Resolves when the bytes have been taken; false where nobody takes them any more. */
  write(data: string | Uint8Array): Promise<boolean> {
    if (this.#writeError !== undefined || process.stdout.destroyed) return Promise.resolve(false);
    return new Promise((resolve) => {
      process.stdout.write(data, () => resolve(this.#writeError === undefined));
    });
  }

  /** Says something of ours to the person, on lines of its own. */
  say(text: string): void {
    process.stderr.write(`\r\n${text.replaceAll("\n", "\r\n")}`);
  }

  /** Gives the terminal back as it was. */
  [Symbol.dispose](): void {
    if (this.#isRestored) return;
    this.#isRestored = true;
    process.off("exit", this.#restore);
    if (this.#onResize !== undefined) this.#screen?.off("resize", this.#onResize);
    // A terminal takes this before the call returns, also when the process is ending.
    if (process.stdout.isTTY) process.stdout.write(this.#undo());
    if (this.isInteractive) process.stdin.setRawMode(false);
    // Keys that nobody will read must not keep the program alive.
    process.stdin.destroy();
  }

  /**
   * Node's raw mode still turns a line feed into carriage return and line feed. The
   * far side's terminal has done that already where its programs want it; a
   * full-screen program means the cursor to go straight down.
   */
  #passOutputThrough(): void {
    const { error, status, stderr } = spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "pipe"] });
    if (status === 0) return;
    throw new CmdopError("Internal", "The terminal could not be made raw: stty -opost failed.", {
      next: `Check that stty works in this terminal. It says: ${error?.message ?? stderr.toString().trim()}`,
      cause: error,
    });
  }
}
