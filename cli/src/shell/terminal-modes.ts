/** Private modes that are on in a fresh terminal: lines wrap, the cursor shows. */
const ON_BY_DEFAULT: ReadonlySet<number> = new Set([7, 25]);

/** The alternate screen, in its three forms. */
const ALTERNATE: ReadonlySet<number> = new Set([47, 1047, 1049]);

/**
 * Private modes that a person notices if a program leaves them on: other codes for keys (1, 66), a reversed
 * or frozen screen (5, 6, 2026), the mouse (9, 1000 to 1016), reports of focus and colours (1004, 2031),
 * bracketed paste (2004).
 */
const OFF_BY_DEFAULT: ReadonlySet<number> = new Set([
  1, 5, 6, 9, 66, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2004, 2026, 2031,
]);

/**
 * The changes of a program to the terminal, so that they can be undone when the viewer leaves or the program
 * dies.
 */
export class TerminalModes {
  readonly #changed = new Set<number>();
  #others = new Set<"keypad" | "margins" | "cursor shape" | "modified keys" | "kitty keys">();

  /** True if a full-screen program shows its own screen. */
  get alternate(): boolean {
    return [...ALTERNATE].some((mode) => this.#changed.has(mode));
  }

  /** Notes a control sequence that the terminal obeys. */
  note(sequence: Uint8Array): void {
    const text = Buffer.from(sequence).toString("latin1");
    if (text === "\x1bc" || text === "\x1b[!p") this.#reset(text === "\x1bc");
    else if (text === "\x1b=") this.#others.add("keypad");
    else if (text === "\x1b>") this.#others.delete("keypad");
    else if (text.startsWith("\x1b[")) this.#noteControl(text.slice(2, -1), text.slice(-1));
  }

  /** Returns the sequences that undo the remaining changes. */
  undo(): string {
    const parts = ["\x1b[m"];
    for (const mode of this.#changed) {
      if (!ALTERNATE.has(mode)) parts.push(`\x1b[?${mode}${ON_BY_DEFAULT.has(mode) ? "h" : "l"}`);
    }
    if (this.#others.has("keypad")) parts.push("\x1b>");
    if (this.#others.has("cursor shape")) parts.push("\x1b[0 q");
    if (this.#others.has("modified keys")) parts.push("\x1b[>4m");
    if (this.#others.has("kitty keys")) parts.push("\x1b[=0u");
    // Resetting the margins moves the cursor to the top left, so it is saved and restored.
    if (this.#others.has("margins")) parts.push("\x1b7\x1b[r\x1b8");
    for (const mode of this.#changed) if (ALTERNATE.has(mode)) parts.push(`\x1b[?${mode}l`);
    return parts.join("");
  }

  #noteControl(parameters: string, kind: string): void {
    if (/^\?[\d;]+$/.test(parameters) && (kind === "h" || kind === "l")) {
      for (const mode of parameters.slice(1).split(";")) this.#notePrivate(Number(mode), kind === "h");
    }
    if (kind === "r" && /^[\d;]*$/.test(parameters)) this.#set("margins", parameters !== "");
    if (kind === "q" && / $/.test(parameters)) this.#set("cursor shape", !/^0? $/.test(parameters));
    if (kind === "m" && parameters.startsWith(">")) this.#set("modified keys", /^>4;[12]$/.test(parameters));
    if (kind === "u" && /^[=>]/.test(parameters)) this.#set("kitty keys", !/^=0?(?:;1?)?$/.test(parameters));
    if (kind === "u" && parameters.startsWith("<")) this.#set("kitty keys", false);
  }

  #notePrivate(mode: number, on: boolean): void {
    const isDefault = on === ON_BY_DEFAULT.has(mode);
    const isKnown = ON_BY_DEFAULT.has(mode) || OFF_BY_DEFAULT.has(mode) || ALTERNATE.has(mode);
    if (isDefault) this.#changed.delete(mode);
    else if (isKnown) this.#changed.add(mode);
  }

  #set(name: "keypad" | "margins" | "cursor shape" | "modified keys" | "kitty keys", changed: boolean): void {
    if (changed) this.#others.add(name);
    else this.#others.delete(name);
  }

  /** Notes a reset: a full one undoes everything; a soft one keeps mouse, paste and screen. */
  #reset(full: boolean): void {
    for (const mode of full ? [...this.#changed] : [1, 6, 7, 25]) this.#changed.delete(mode);
    if (full) this.#others.clear();
    else for (const name of ["keypad", "margins"] as const) this.#others.delete(name);
  }
}
