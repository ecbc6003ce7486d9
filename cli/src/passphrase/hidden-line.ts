const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACE = 0x08;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const CTRL_U = 0x15;
const DELETE = 0x7f;

/** A line that is typed on a terminal in raw mode: the few keys that such a line needs, and nothing is shown. */
export class HiddenLine {
  readonly #maxBytes: number;
  #typed: number[] = [];
  #state: "typing" | "done" | "canceled" = "typing";

  /** Bytes beyond `maxBytes` are dropped. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Whether it was left with Ctrl-C or Ctrl-D. */
  get isCanceled(): boolean {
    return this.#state === "canceled";
  }

  get text(): string {
    return Buffer.from(this.#typed).toString("utf8");
  }

  /** Takes what was typed; nothing more once the line has ended. */
  type(keys: Uint8Array): void {
    for (const key of keys) if (this.#state === "typing") this.#take(key);
  }

  #take(key: number): void {
    if (key === RETURN || key === LINE_FEED) this.#state = "done";
    else if (key === CTRL_C || key === CTRL_D) this.#state = "canceled";
    else if (key === CTRL_U) this.#typed = [];
    else if (key === BACKSPACE || key === DELETE)
      this.#typed = [...Buffer.from([...this.text].slice(0, -1).join(""))];
    else if (this.#typed.length < this.#maxBytes) this.#typed.push(key);
  }
}
