import { spawnSync } from "node:child_process";
import type { Readable } from "node:stream";
import tty from "node:tty";
import { CmdopError } from "@cmdop/sdk";

/** A terminal's size in characters. */
export interface Size {
  readonly cols: number;
  readonly rows: number;
}

/** Size that programs assume if no terminal says otherwise. */
const DEFAULT_SIZE: Size = { cols: 80, rows: 24 };

/** Greatest width and height of a machine's terminal, in characters. */
const MAX_SIZE = 500;

/** Returns the size of this process's terminal, or the default size if there is none. */
export function terminalSize(): Size {
  const { columns = 0, rows = 0 } = screen() ?? {};
  if (columns === 0 || rows === 0) return DEFAULT_SIZE;
  return { cols: Math.min(columns, MAX_SIZE), rows: Math.min(rows, MAX_SIZE) };
}

/** Returns the output stream that is a terminal and knows its size. */
function screen(): tty.WriteStream | undefined {
  return [process.stdout, process.stderr].find((stream) => stream instanceof tty.WriteStream);
}

/**
 * This process's own terminal, as far as it has one. Keys come from standard input, raw if that is a
 * terminal, and output goes to standard output. The terminal is restored when this is disposed of, or the
 * process ends in any way that Node can see.
 */
export class LocalTerminal implements Disposable {
  readonly keys: Readable = process.stdin;
  /** True if a person types. Keys then come one by one, Ctrl-C too. */
  readonly isInteractive: boolean = process.stdin.isTTY === true;
  readonly #undo: () => string;
  readonly #screen = screen();
  readonly #restore = (): void => this[Symbol.dispose]();
  #onResize: (() => void) | undefined;
  #isRestored = false;
  #writeError: Error | undefined;

  /**
   * Takes over the terminal. `undo` returns the sequences that reset the modes which programs have left on.
   */
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

  /** The size, if standard output is a screen. */
  get screenSize(): Size | undefined {
    return process.stdout.isTTY ? terminalSize() : undefined;
  }

  /** Calls this one listener on every change of the size, until the terminal is restored. */
  onResize(listener: () => void): void {
    this.#onResize = listener;
    this.#screen?.on("resize", listener);
  }

  /** Writes bytes, and waits until they are taken. Returns false if the output is closed. */
  write(data: string | Uint8Array): Promise<boolean> {
    if (this.#writeError !== undefined || process.stdout.destroyed) return Promise.resolve(false);
    return new Promise((resolve) => {
      process.stdout.write(data, () => resolve(this.#writeError === undefined));
    });
  }

  /** Writes a message of this program to the person, on its own lines. */
  say(text: string): void {
    process.stderr.write(`\r\n${text.replaceAll("\n", "\r\n")}`);
  }

  /** Restores the terminal. */
  [Symbol.dispose](): void {
    if (this.#isRestored) return;
    this.#isRestored = true;
    process.off("exit", this.#restore);
    if (this.#onResize !== undefined) this.#screen?.off("resize", this.#onResize);
    // A terminal takes this before the call returns, even when the process is ending.
    if (process.stdout.isTTY) process.stdout.write(this.#undo());
    if (this.isInteractive) process.stdin.setRawMode(false);
    // Unread keys must not keep the program running.
    process.stdin.destroy();
  }

  /**
   * Turns output processing off. Node's raw mode still converts a line feed to carriage return and line feed.
   * The machine's terminal has already done so where its programs want it; a full-screen program expects the
   * cursor to go straight down.
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
