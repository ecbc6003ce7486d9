import { SequenceFilter } from "./sequence-filter.ts";
import { TerminalModes } from "./terminal-modes.ts";
import { isQuery } from "./terminal-queries.ts";

const LINE_FEED = 0x0a;
const ESC = 0x1b;

/** Sequence that turns the alternate screen on. */
const ALTERNATE_SCREEN = Buffer.from("\x1b[?1049h");

/** The start of a viewer. */
export interface ViewStart {
  /** The journal offset to begin after. */
  readonly after: number;
  /**
   * True if others may have watched before. Earlier output is then shown without its queries, because this
   * terminal's answers would be typed into the session.
   */
  readonly isReplay: boolean;
  /** True if output before `after` has turned the alternate screen on. */
  readonly isAlternate: boolean;
}

/** A session's output on its way to this terminal. */
export class SessionOutput {
  readonly #start: ViewStart;
  readonly #filter = new SequenceFilter();
  readonly #modes = new TerminalModes();
  #replayEnd: number;
  #next: number;
  #droppedBytes = 0;

  constructor(start: ViewStart) {
    this.#start = start;
    this.#next = start.after;
    this.#replayEnd = start.after;
  }

  /** Number of bytes that are missing in the shown output, because a limit of the machine dropped them. */
  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  /** The offset behind the shown output. */
  get offset(): number {
    return this.#next;
  }

  /** Sets the end of the output from before this viewer. */
  begin(outputEnd: number): void {
    if (this.#start.isReplay) this.#replayEnd = outputEnd;
  }

  /**
   * Returns the part of the next bytes to show: whole sequences and characters, old output without queries.
   */
  push({ offset, data }: { readonly offset: number; readonly data: Uint8Array }): Uint8Array {
    const parts: Uint8Array[] = [];
    if (this.#next === this.#start.after && this.#start.isAlternate) {
      parts.push(this.#show(ALTERNATE_SCREEN, false));
    }
    this.#droppedBytes += offset - this.#next;
    const isCut = offset > this.#next || (offset > 0 && offset === this.#start.after);
    const from = isCut ? safePlace(data) : 0;
    const replayed = Math.max(from, Math.min(data.length, Number(this.#replayEnd - offset)));
    parts.push(this.#show(data.subarray(from, replayed), true), this.#show(data.subarray(replayed), false));
    this.#next = offset + data.length;
    return Buffer.concat(parts);
  }

  /** Returns the incomplete rest when the output has ended. */
  flush(): Uint8Array {
    return this.#filter.flush();
  }

  /** Returns the sequences that undo the modes which the session's programs have left on. */
  undo(): string {
    return this.#modes.undo();
  }

  #show(data: Uint8Array, isReplay: boolean): Uint8Array {
    return this.#filter.push(data, (sequence) => {
      if (isReplay && isQuery(sequence)) return "drop";
      this.#modes.note(sequence);
      return "keep";
    });
  }
}

/**
 * Returns the first index from which the output can be shown: the rest of a cut sequence would be printed as
 * text.
 */
function safePlace(data: Uint8Array): number {
  const place = data.findIndex((byte) => byte === LINE_FEED || byte === ESC);
  return Math.max(place, 0);
}
