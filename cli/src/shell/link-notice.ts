import { LINK_LOST, sayLink } from "../jobs/link-messages.ts";

/** The place for a notice. */
export interface NoticePlace {
  /** The screen's size; undefined if the output goes to a file or a pipe. */
  readonly screenSize: { readonly cols: number; readonly rows: number } | undefined;
  /** Writes to the screen. */
  write(data: string): unknown;
}

const SCREEN_HINT = "; keys are kept (Enter ~ . leaves)";

/**
 * Shows that the link is lost: on the last row of a screen, without moving the cursor or changing the
 * program's colours and margins; otherwise as lines on stderr, so that stdout has only the program's output.
 */
export class LinkNotice {
  readonly #place: NoticePlace;
  #isLost = false;
  #row: number | undefined;

  constructor(place: NoticePlace) {
    this.#place = place;
  }

  /** Shows the loss, once until the link is back. */
  lost(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    const size = this.#place.screenSize;
    this.#row = size?.rows;
    if (size === undefined) sayLink("lost");
    else
      this.#place.write(onRow(size.rows, `\x1b[0;7m${` ${LINK_LOST}${SCREEN_HINT} `.slice(0, size.cols)}`));
  }

  /** Removes the notice after the link is back. Returns the row where it was, 1 being the first. */
  back(): number | undefined {
    if (!this.#isLost) return undefined;
    this.#isLost = false;
    if (this.#row === undefined) sayLink("back");
    else this.#place.write(onRow(this.#row, ""));
    return this.#row;
  }
}

/**
 * Returns the sequence that clears a row and writes there. Cursor, colours, character set and origin are
 * saved before and restored after.
 */
export function onRow(row: number, text: string): string {
  return `\x1b7\x1b[?6l\x1b(B\x1b[${row};1H\x1b[m\x1b[2K${text}\x1b8`;
}
