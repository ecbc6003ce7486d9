/**
 * Characters that a terminal or a reader's eye could be misled by: control
 * characters, what changes the direction of text, what has no width or is drawn
 * as nothing (fillers, variation selectors), every space but the common one,
 * separators of lines and paragraphs, private and unassigned ones, halves of pairs.
 */
const MISLEADING = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{DI}\u2800]|(?! )\p{Zs}/u;

/**
 * Text with everything misleading made visible as `\n`, `\t` or `\u{…}`, and a
 * backslash doubled, so that two texts that differ also look different. For
 * audit records, names, and whatever else comes from afar and is shown. What a
 * person decides by is shown with `unmistakable`, which says more.
 */
export function visible(text: string): string {
  let shown = "";
  for (const character of text) shown += visibleCharacter(character);
  return shown;
}

/**
 * The same with single backslashes, on one line: for text that is read and not
 * compared. What was made visible before looks the same as there.
 */
export function printable(text: string): string {
  return text.split("\\").map(visible).join("\\");
}

/** One character as `visible` shows it. */
export function visibleCharacter(character: string): string {
  if (character === "\\") return "\\\\";
  if (!MISLEADING.test(character)) return character;
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  return escaped(character);
}

/** One character by its number: `\u{1b}`. */
export function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16) ?? ""}}`;
}
