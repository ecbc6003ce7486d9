/** Effects of a program's output on a terminal, as far as they change the visible text. */
export interface TerminalActions {
  /** Prints text without control characters, except tabs. */
  print(text: string): void;
  /** Moves to the start of the next row. */
  newLine(): void;
  carriageReturn(): void;
  backspace(): void;
  /** Moves down; up if `rows` is negative. */
  moveRows(rows: number): void;
  moveColumns(columns: number): void;
  /** `column` counts from 0. */
  moveToColumn(column: number): void;
  /** Moves to a position unrelated to the last one. */
  moveElsewhere(): void;
  eraseLine(part: ErasedPart): void;
  /** Erases the rest of the row, and all rows below. */
  eraseBelow(): void;
}

/** The part of a row after the cursor, before it, or all of it. */
export type ErasedPart = "rest" | "beginning" | "all";

/** Longest escape sequence that may arrive in two pieces, in characters. Real ones have some twenty. */
const MAX_SEQUENCE_CHARACTERS = 256;

/**
 * Longest string sequence (a title, a link, a picture), in characters. It lasts until its terminator; a
 * longer one is shown as text, since otherwise two bytes could hide the rest of an output.
 */
const MAX_STRING_CHARACTERS = 65_536;

const range = (first: number, last = first): string =>
  `${String.fromCharCode(first)}-${String.fromCharCode(last)}`;
/** C0, DEL and C1, except the tab, which is kept. */
const CONTROL = new RegExp(`[${range(0, 8)}${range(0x0a, 0x1f)}${range(0x7f, 0x9f)}]`, "g");
/** The same without the newline. */
const SEQUENCE = new RegExp(`[${range(0, 8)}${range(0x0b, 0x1f)}${range(0x7f, 0x9f)}]`);
const PARAMETERS = /[0-?]*[ -/]*/y;
const INTERMEDIATES = /[ -/]*/y;
/** Characters that end or abort a string: BEL, CAN, SUB, ESC, ST. */
const STRING_END = new RegExp(`[${range(7)}${range(0x18)}${range(0x1a, 0x1b)}${range(0x9c)}]`, "g");

const ESC = "\u001b";
const C1_CSI = "\u009b";
/** Second characters of DCS, SOS, OSC, PM and APC. */
const STRING_INTRODUCERS = "PX]^_";

/**
 * Reads a program's output as a terminal does: escape sequences become actions, or are dropped. Each
 * character is examined a fixed number of times.
 */
export class EscapeReader {
  readonly #actions: TerminalActions;
  /** Text so far of a string whose terminator has not arrived. */
  #string: string | undefined;
  #at = 0;

  constructor(actions: TerminalActions) {
    this.#actions = actions;
  }

  /** Returns a reader in the same state, with other actions. */
  copyFor(actions: TerminalActions): EscapeReader {
    const copy = new EscapeReader(actions);
    copy.#string = this.#string;
    return copy;
  }

  /** The position in the text that is being read, up to which it has been processed. */
  get at(): number {
    return this.#at;
  }

  /**
   * Reads the next text. Returns the start of an incomplete sequence, which must be put before the next text.
   */
  read(text: string): string {
    if (this.#string === undefined && !SEQUENCE.test(text)) {
      this.#readLines(text);
      return "";
    }
    for (this.#at = 0; this.#at < text.length; ) {
      const at = this.#at;
      const next = this.#string === undefined ? this.#plain(text, at) : this.#inString(text, at);
      if (next === undefined) return text.slice(at);
      this.#at = next;
    }
    return "";
  }

  /** Reads text without escape sequences, as most output is: only line ends matter. */
  #readLines(text: string): void {
    for (let at = 0; at < text.length; ) {
      const end = text.indexOf("\n", at);
      this.#at = at;
      if (end !== at) this.#actions.print(text.slice(at, end === -1 ? text.length : end));
      this.#at = at = end === -1 ? text.length : end + 1;
      if (end !== -1) this.#actions.newLine();
    }
  }

  /** Ends the reading: a string without its terminator is shown as text. */
  end(): void {
    this.#showString();
  }

  /**
   * Reads text up to the next control character, or that character's effect; undefined if its sequence is
   * incomplete.
   */
  #plain(text: string, from: number): number | undefined {
    CONTROL.lastIndex = from;
    const at = CONTROL.exec(text)?.index ?? text.length;
    if (at > from) {
      this.#actions.print(text.slice(from, at));
      return at;
    }
    switch (text[at]) {
      case ESC:
        return this.#escape(text, at);
      case C1_CSI:
        return this.#csi(text, at, at + 1);
      case "\n":
      case "\v":
      case "\f":
        // The next row begins after this character.
        this.#at = at + 1;
        this.#actions.newLine();
        return at + 1;
      case "\r":
        this.#actions.carriageReturn();
        return at + 1;
      case "\b":
        this.#actions.backspace();
        return at + 1;
      default:
        // The others show nothing. C1 introducers of strings are ignored in UTF-8, because garbled text is
        // full of them.
        return at + 1;
    }
  }

  #escape(text: string, from: number): number | undefined {
    const kind = text[from + 1];
    if (kind === undefined) return undefined;
    if (kind === "[") return this.#csi(text, from, from + 2);
    if (STRING_INTRODUCERS.includes(kind)) {
      this.#string = "";
      return from + 2;
    }
    // Character sets and the like have intermediates and one final character.
    const end = endOf(INTERMEDIATES, text, from + 1);
    const final = text[end];
    if (final === undefined) return incomplete(from, end);
    if (final < "0" || final > "~") return end;
    if (end === from + 1) this.#single(final);
    return end + 1;
  }

  #single(final: string): void {
    if (final === "M") this.#actions.moveRows(-1);
    else if (final === "D") this.#actions.moveRows(1);
    else if (final === "E") this.#actions.newLine();
    else if (final === "c") this.#actions.moveElsewhere();
  }

  /** `from`: start of the sequence. `parameters`: the position after its introducer. */
  #csi(text: string, from: number, parameters: number): number | undefined {
    const end = endOf(PARAMETERS, text, parameters);
    const final = text[end];
    if (final === undefined) return incomplete(from, end);
    if (final < "@" || final > "~") return end;
    const given = text.slice(parameters, Math.min(end, parameters + MAX_SEQUENCE_CHARACTERS));
    // Private sequences (with <, =, > or ?) change modes.
    if (/^[\d;]*$/.test(given)) this.#act(final, given.split(";").map(Number));
    return end + 1;
  }

  #act(final: string, [first = 0, second = 0]: readonly number[]): void {
    const actions = this.#actions;
    const count = Math.max(1, first);
    if (final === "A") actions.moveRows(-count);
    else if (final === "B") actions.moveRows(count);
    else if (final === "C") actions.moveColumns(count);
    else if (final === "D") actions.moveColumns(-count);
    else if (final === "G" || final === "`") actions.moveToColumn(count - 1);
    else if (final === "K") actions.eraseLine(first === 0 ? "rest" : first === 1 ? "beginning" : "all");
    else if (final === "J" && first === 0) actions.eraseBelow();
    else if (final === "J" || final === "d") actions.moveElsewhere();
    else if (final === "E" || final === "F") {
      actions.moveRows(final === "E" ? count : -count);
      actions.moveToColumn(0);
    } else if (final === "H" || final === "f") {
      actions.moveElsewhere();
      actions.moveToColumn(Math.max(1, second) - 1);
    }
  }

  /** Reads up to the terminator, or to a character that aborts the string. */
  #inString(text: string, from: number): number | undefined {
    STRING_END.lastIndex = from;
    const at = STRING_END.exec(text)?.index ?? text.length;
    this.#string += text.slice(from, at);
    if ((this.#string?.length ?? 0) > MAX_STRING_CHARACTERS) this.#showString();
    if (at === text.length || this.#string === undefined) return at;
    if (text[at] !== ESC) {
      this.#string = undefined;
      return at + 1;
    }
    if (at + 1 === text.length) return at > from ? at : undefined;
    this.#string = undefined;
    return text[at + 1] === "\\" ? at + 2 : at;
  }

  #showString(): void {
    const text = this.#string;
    this.#string = undefined;
    if (text === undefined) return;
    // No string can begin in it, because it contains no ESC.
    for (let at: number | undefined = 0; at !== undefined && at < text.length; ) at = this.#plain(text, at);
  }
}

function endOf(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  pattern.exec(text);
  return pattern.lastIndex;
}

/** Waits for the rest of an incomplete sequence; one that is too long is dropped. */
function incomplete(from: number, end: number): number | undefined {
  return end - from > MAX_SEQUENCE_CHARACTERS ? end : undefined;
}
