import { SequenceFilter } from "./sequence-filter.ts";
import { TerminalModes } from "./terminal-modes.ts";
import { isQuery } from "./terminal-queries.ts";

const LINE_FEED = 0x0a;
const ESC = 0x1b;

/** Puts the alternate screen on. */
const ALTERNATE_SCREEN = Buffer.from("\x1b[?1049h");

/** Where a viewer begins. */
export interface ViewStart {
  /** The journal offset to begin after. */
  readonly after: number;
  /**
   * True where others may have watched before: what the session had written by now
   * is shown without the questions in it, since our terminal's answers would be typed.
   */
  readonly isReplay: boolean;
  /** True where what came before `after` has put the alternate screen on. */
  readonly isAlternate: boolean;
}

/** A session's output on its way to our terminal. */
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

  /** Bytes that are missing from what has been shown: a bound of the machine dropped them. */
  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  /** The offset behind what has been shown. */
  get offset(): number {
    return this.#next;
  }

  /** The session runs, and has written so much until now. */
  begin(outputEnd: number): void {
    if (this.#start.isReplay) this.#replayEnd = outputEnd;
  }

  /** What to show of the next bytes: whole sequences and characters, old ones without queries. */
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

  /** What was still incomplete when the output ended. */
  flush(): Uint8Array {
    return this.#filter.flush();
  }

  /** The sequences that undo what the session's programs have left changed in our terminal. */
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

/** Where output that begins anywhere can be shown from: the rest of a sequence would be printed as text. */
function safePlace(data: Uint8Array): number {
  const place = data.findIndex((byte) => byte === LINE_FEED || byte === ESC);
  return Math.max(place, 0);
}
