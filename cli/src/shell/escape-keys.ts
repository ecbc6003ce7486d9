const TILDE = 0x7e;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** An action from the keyboard: bytes for the machine, or a command for this program. */
export type KeyAction =
  | { readonly type: "send"; readonly data: Uint8Array }
  | { readonly type: "detach" }
  | { readonly type: "help" };

/** The text that `~?` shows. */
export const ESCAPE_HELP = `Escape sequences, after Enter:
  ~.  detach: the session lives on
  ~?  this help
  ~~  send a tilde
`;

/**
 * Finds ssh's escape sequences in the keys: a tilde at the beginning of a line, then a command. A tilde waits
 * for the next key; with a key that is no command both are sent to the machine.
 */
export class EscapeKeys {
  #state: "line" | "beginning" | "tilde" | "left" = "beginning";

  /** Takes the next keys. Keys after `detach` are discarded. */
  push(keys: Uint8Array): KeyAction[] {
    const actions: KeyAction[] = [];
    let data: number[] = [];
    const act = (type: "detach" | "help"): void => {
      if (data.length > 0) actions.push({ type: "send", data: Uint8Array.from(data) });
      data = [];
      actions.push({ type });
    };
    for (const key of keys) {
      if (this.#state === "left") break;
      if (this.#state === "beginning" && key === TILDE) {
        this.#state = "tilde";
        continue;
      }
      if (this.#state === "tilde") {
        this.#state = "beginning";
        const meaning = String.fromCharCode(key);
        if (meaning === ".") {
          act("detach");
          this.#state = "left";
          continue;
        }
        if (meaning === "?") {
          act("help");
          continue;
        }
        data.push(TILDE);
        this.#state = "line";
        if (key === TILDE) continue;
      }
      data.push(key);
      this.#state = key === CARRIAGE_RETURN || key === LINE_FEED ? "beginning" : "line";
    }
    if (data.length > 0) actions.push({ type: "send", data: Uint8Array.from(data) });
    return actions;
  }
}
