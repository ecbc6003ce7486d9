import { styleText } from "node:util";

/** Colours by their meaning. */
const STYLES = { good: "green", bad: "red", faint: "dim", head: "bold" } as const;

export type Style = keyof typeof STYLES;

/** Returns true where colours may be written: to a terminal that has them, and never with NO_COLOR. */
export function mayColour(stream: { readonly isTTY?: boolean }): boolean {
  const { NO_COLOR, TERM } = process.env;
  // Without a TERM nobody says what the terminal understands.
  return stream.isTTY === true && !NO_COLOR && TERM !== undefined && TERM !== "" && TERM !== "dumb";
}

/** The text in a style, for a stream that may have colours. */
export function coloured(text: string, style: Style): string {
  return styleText(STYLES[style], text, { validateStream: false });
}
