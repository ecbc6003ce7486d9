/**
 * Characters that could mislead a terminal or a reader: control characters, those that change the direction
 * of text, those without width or ink (fillers, variation selectors), every space except the common one, line
 * and paragraph separators, private and unassigned characters, lone surrogates.
 */
const MISLEADING = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{DI}\u2800]|(?! )\p{Zs}/u;

/**
 * Makes everything misleading in a text visible as `\n`, `\t` or `\u{…}`, and doubles backslashes, so that
 * two different texts also look different. For audit records, names, and all other remote text that is
 * displayed. For text on which a person decides, `excerpt` shows more.
 */
export function visible(text: string): string {
  let shown = "";
  for (const character of text) shown += visibleCharacter(character);
  return shown;
}

/**
 * Does the same with single backslashes, on one line, for text that is read and not compared. Text that was
 * made visible before stays as it is.
 */
export function printable(text: string): string {
  return text.split("\\").map(visible).join("\\");
}

/** Returns one character as `visible` shows it. */
export function visibleCharacter(character: string): string {
  if (character === "\\") return "\\\\";
  if (!MISLEADING.test(character)) return character;
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  return escaped(character);
}

/** Returns one character by its code point: `\u{1b}`. */
export function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16) ?? ""}}`;
}
