import type { IBuffer, Terminal } from "@xterm/headless";
import type { TerminalSize } from "./request.ts";

/** The screen, as a person sees it. */
export interface Screen {
  /** As many as the terminal has rows, without trailing blanks. */
  readonly lines: readonly string[];
  readonly cursorCol: number;
  readonly cursorRow: number;
  readonly size: TerminalSize;
  /** Empty where no program has set it. */
  readonly title: string;
  /** Whether a full-screen program shows its own screen. */
  readonly alternate: boolean;
}

/** The history, as text. */
export interface Text {
  readonly text: string;
  /** Whether lines before the first are gone. */
  readonly truncated: boolean;
}

/** Lines above the screen that are kept: an hour of a build. */
const SCROLLBACK_LINES = 10_000;

/** The same in characters, of which each takes 12 bytes: wide terminals keep fewer lines. */
const SCROLLBACK_CHARACTERS = 1_048_576;

/** The text of one answer: it must fit in a message, at up to 3 bytes each. */
const MAX_TEXT_CHARACTERS = 1_000_000;

/** One line of a screen, for the same reason: accents and joined emoji are several characters in one place. */
const MAX_LINE_CHARACTERS = 2_000;

/** A window's title: programs may send megabytes. */
const MAX_TITLE_CHARACTERS = 1_000;

/** A terminal without a screen: bytes go in, text can be seen. What it would answer to programs goes nowhere. */
export class Emulator {
  readonly #terminal: Terminal;
  #size: TerminalSize;
  #title = "";

  private constructor(terminal: Terminal, size: TerminalSize) {
    this.#size = size;
    this.#terminal = terminal;
    this.#terminal.onTitleChange((title) => {
      this.#title = title.slice(0, MAX_TITLE_CHARACTERS);
    });
  }

  /** Loads the emulator with the first: 5 MB that an agent without sessions does not need. */
  static async open(size: TerminalSize): Promise<Emulator> {
    const { default: xterm } = await import("@xterm/headless");
    const { default: unicode } = await import("@xterm/addon-unicode11");
    const terminal = new xterm.Terminal({ ...size, scrollback: scrollback(size), allowProposedApi: true });
    // Emoji take two places, as in the terminals that people use.
    new unicode.Unicode11Addon().activate(terminal);
    terminal.unicode.activeVersion = "11";
    return new Emulator(terminal, size);
  }

  get size(): TerminalSize {
    return this.#size;
  }

  /** Resolves when the bytes have been taken in. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#terminal.write(bytes, resolve));
  }

  resize(size: TerminalSize): void {
    this.#size = size;
    this.#terminal.options.scrollback = scrollback(size);
    this.#terminal.resize(size.cols, size.rows);
  }

  screen(): Screen {
    const { active } = this.#terminal.buffer;
    const lines = Array.from({ length: this.#size.rows }, (_, row) => {
      const line = active.getLine(active.baseY + row);
      return line?.translateToString(true).trimEnd().slice(0, MAX_LINE_CHARACTERS) ?? "";
    });
    return {
      lines,
      // Behind the last column while the next character will begin a new line.
      cursorCol: Math.min(active.cursorX, this.#size.cols - 1),
      cursorRow: active.cursorY,
      size: this.#size,
      title: this.#title,
      alternate: active.type === "alternate",
    };
  }

  /** Of the normal screen, also while a full-screen program shows its own. At most the last `maxLines` lines; 0 means all. */
  text(maxLines: number): Text {
    const { normal } = this.#terminal.buffer;
    const lines: string[] = [];
    let end = normal.length;
    while (end > 0 && (maxLines === 0 || lines.length < maxLines)) {
      const first = beginOfLine(normal, end - 1);
      const line = joined(normal, first, end);
      // Below the last line there is nothing but the empty rest of the screen.
      if (line !== "" || lines.length > 0) lines.push(line);
      end = first;
    }
    const text = lines.reverse().join("\n");
    const full = normal.length >= this.#size.rows + scrollback(this.#size);
    return { text: text.slice(-MAX_TEXT_CHARACTERS), truncated: full || text.length > MAX_TEXT_CHARACTERS };
  }

  dispose(): void {
    this.#terminal.dispose();
  }
}

function scrollback({ cols }: TerminalSize): number {
  return Math.min(SCROLLBACK_LINES, Math.floor(SCROLLBACK_CHARACTERS / cols));
}

/** The first row of the line that a row belongs to: a long line takes several. */
function beginOfLine(buffer: IBuffer, row: number): number {
  let first = row;
  while (first > 0 && buffer.getLine(first)?.isWrapped) first -= 1;
  return first;
}

/** The line that takes the rows from `first` to before `end`. */
function joined(buffer: IBuffer, first: number, end: number): string {
  let text = "";
  for (let row = first; row < end; row += 1) {
    const line = buffer.getLine(row);
    if (line === undefined) continue;
    const last = row === end - 1;
    // A wide character that did not fit into the last column left it empty.
    const corner = line.getCell(line.length - 1);
    const gap = !last && corner?.getChars() === "" && corner.getWidth() === 1;
    text += line.translateToString(last, 0, gap ? line.length - 1 : line.length);
  }
  return text.trimEnd();
}
