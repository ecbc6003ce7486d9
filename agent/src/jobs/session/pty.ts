import { chownSync, closeSync, constants, openSync, statSync, writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { ReadStream } from "node:tty";
import { isErrno, pause } from "@cmdop/kit";
import type { JobLimits } from "../limits.ts";
import { keepPrivate } from "../process/private-descriptors.ts";
import { EndMark } from "./end-mark.ts";
import { type NativePty, nativePty } from "./native-pty.ts";
import type { TerminalSize } from "./request.ts";

/** Between two attempts to write the end mark, and two looks for it. */
const POLL_MS = 2;

/** How a terminal is emptied. */
export type DrainLimits = Pick<JobLimits, "terminalDrainMs" | "terminalQuietMs" | "maxPipeRestBytes">;

/**
 * A pseudo-terminal. We hold the slave too, until all output has been read: with
 * nobody on the other side, libuv takes the end of what it can read at once for
 * the end of all.
 */
export class Pty {
  /** Whoever opens it, being the leader of a session, makes it the terminal of that session. */
  readonly path: string;
  readonly #native: NativePty;
  readonly #master: number;
  readonly #slave: number;
  readonly #reader: ReadStream;
  readonly #forgetMaster: () => void;
  readonly #onOutput: (bytes: Uint8Array) => void;
  #mark: EndMark | undefined;
  #arrivedBytes = 0;
  #open = true;

  /** Throws where the system has no terminal left. Output is passed on as it comes, and never held back. */
  constructor(size: TerminalSize, onOutput: (bytes: Uint8Array) => void) {
    this.#onOutput = onOutput;
    this.#native = nativePty();
    const { master, slave, path } = this.#native.open(size);
    this.path = path;
    this.#master = master;
    try {
      closeSync(slave);
      this.#slave = reopenSlave(path);
    } catch (error) {
      closeSync(master);
      throw error;
    }
    this.#forgetMaster = keepPrivate(master);
    this.#reader = new ReadStream(master);
    this.#reader.on("data", (bytes: Uint8Array) => this.#arrived(bytes));
    // A terminal that was hung up (vhangup) has no more output: its programs have nowhere to write.
    for (const event of ["end", "error"]) this.#reader.once(event, () => this.close());
  }

  /** Types what the terminal takes at once; how many bytes that was. Throws where it was hung up. */
  type(bytes: Uint8Array): number {
    if (!this.#open) throw new Error("the terminal was hung up");
    return writeNow(this.#master, bytes);
  }

  resize(size: TerminalSize): void {
    if (this.#open) this.#native.resize(this.#master, size);
  }

  /** Makes it the user's, who could not open it otherwise; its group stays that of terminals. */
  giveTo(uid: number): void {
    chownSync(this.path, uid, statSync(this.path).gid);
  }

  /**
   * Resolves when everything that was written to the terminal before has been
   * passed on. What can't be had any more is not waited for: where output is
   * stopped (Ctrl-S), or a background child fills the terminal.
   */
  async drain({ terminalDrainMs, terminalQuietMs, maxPipeRestBytes }: DrainLimits): Promise<void> {
    const mark = new EndMark();
    this.#mark = mark;
    let unwritten: Uint8Array = mark.bytes;
    const before = this.#arrivedBytes;
    let arrivedBytes = before;
    let lastArrival = performance.now();
    while (this.#open && !mark.found && arrivedBytes - before <= maxPipeRestBytes) {
      unwritten = unwritten.subarray(this.#write(unwritten));
      await pause(POLL_MS);
      // Timers come before what can be read: after a busy while, a look at the terminal comes first.
      await setImmediate();
      if (this.#arrivedBytes > arrivedBytes) lastArrival = performance.now();
      arrivedBytes = this.#arrivedBytes;
      const quietMs = performance.now() - lastArrival;
      if (quietMs > (unwritten.length > 0 ? terminalQuietMs : terminalDrainMs)) break;
    }
    this.#mark = undefined;
    const rest = mark.rest();
    if (rest.length > 0) this.#onOutput(rest);
  }

  /** Hangs up. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#slave);
    this.#forgetMaster();
    this.#reader.destroy();
  }

  /** To the end of the program's output, not as input. */
  #write(bytes: Uint8Array): number {
    try {
      return writeNow(this.#slave, bytes);
    } catch (error) {
      // Hung up: there is no other end.
      if (isErrno(error, "EIO")) return 0;
      throw error;
    }
  }

  #arrived(bytes: Uint8Array): void {
    this.#arrivedBytes += bytes.length;
    const ours = this.#mark === undefined ? bytes : this.#mark.take(bytes);
    if (ours.length > 0) this.#onOutput(ours);
  }
}

/** By way of Node, so that it is neither inherited nor becomes a terminal of ours. */
function reopenSlave(path: string): number {
  return openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
}

/** Both sides are non-blocking: what does not fit now is not waited for. */
function writeNow(descriptor: number, bytes: Uint8Array): number {
  if (bytes.length === 0) return 0;
  try {
    return writeSync(descriptor, bytes);
  } catch (error) {
    if (isErrno(error, "EAGAIN")) return 0;
    throw error;
  }
}
