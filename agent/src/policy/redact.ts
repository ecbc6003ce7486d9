/** Leaves out of a text what a policy hides. */
export type Redact = (text: string) => string;

/** What stands in the place of what was left out. */
const REDACTED = "[redacted]";

/** Steps that one text is worth, each a mark that was found or a quote that was passed: some milliseconds of work. */
const MAX_STEPS = 20_000;

/** What ends a secret, or begins a part of it in which spaces do not. */
const SPACE_OR_QUOTE = /[\s'"]/g;

/** Part of a text, from its first character to behind its last. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * What a policy's `redact` hides: whatever follows one of its texts, in any
 * case, up to the next space that is not inside of quotes. `"--password="`
 * hides the rest of that argument, `"--token "` the argument after it.
 *
 * Plain texts rather than regular expressions, since these would run over what
 * strangers send: the time it takes grows with the text and with the number of
 * texts and with nothing else, and none is written wrongly in a way that only
 * shows when the secret is in the audit.
 */
export function redactor(texts: readonly string[] | undefined): Redact {
  const marks = (texts ?? []).map(folded);
  if (marks.length === 0) return (text) => text;
  return (text) => {
    const haystack = folded(text);
    const steps = new Steps();
    const hidden = marks.flatMap((mark) => [...behind(mark, haystack, text, steps)]);
    if (steps.left === 0) return withoutRest(text, haystack, marks);
    return without(
      text,
      hidden.sort((a, b) => a.from - b.from),
    );
  };
}

/** How much work is left. */
class Steps {
  left = MAX_STEPS;

  /** Whether one more may be taken. */
  take(): boolean {
    this.left = Math.max(0, this.left - 1);
    return this.left > 0;
  }
}

/** Where secrets follow a mark. */
function* behind(mark: string, haystack: string, text: string, steps: Steps): Generator<Range> {
  for (let at = haystack.indexOf(mark); at !== -1 && steps.take(); ) {
    const from = at + mark.length;
    const to = endOfSecret(text, from, text[at - 1], steps);
    if (to > from) yield { from, to };
    // The next mark may begin inside of what is hidden, as long as something follows it.
    at = haystack.indexOf(mark, Math.max(at + 1, to + 1 - mark.length));
  }
}

/** Where a secret ends: at the next space outside of quotes. `before`: the character before its mark; where that is a quote, all up to the closing one belongs together. */
function endOfSecret(text: string, from: number, before: string | undefined, steps: Steps): number {
  let at = isQuote(before) ? behindQuote(text, before, from) : from;
  while (steps.take()) {
    SPACE_OR_QUOTE.lastIndex = at;
    const found = SPACE_OR_QUOTE.exec(text);
    if (found === null) break;
    const [character] = found;
    if (!isQuote(character)) return found.index;
    at = behindQuote(text, character, found.index + 1);
  }
  return text.length;
}

function behindQuote(text: string, quote: string, from: number): number {
  const closing = text.indexOf(quote, from);
  return closing === -1 ? text.length : closing + 1;
}

function isQuote(character: string | undefined): character is "'" | '"' {
  return character === "'" || character === '"';
}

/** Where there is more to hide than there is time for, all behind the first mark is hidden. */
function withoutRest(text: string, haystack: string, marks: readonly string[]): string {
  const ends = marks.flatMap((mark) => {
    const at = haystack.indexOf(mark);
    return at === -1 ? [] : [at + mark.length];
  });
  return text.slice(0, Math.min(...ends)) + REDACTED;
}

/** `hidden`: sorted by where they begin; they may overlap. */
function without(text: string, hidden: readonly Range[]): string {
  let left = "";
  let shownUpTo = 0;
  for (const { from, to } of hidden) {
    if (from >= shownUpTo) left += text.slice(shownUpTo, from) + REDACTED;
    shownUpTo = Math.max(shownUpTo, to);
  }
  return left + text.slice(shownUpTo);
}

/** In lower case, each character where it was. */
function folded(text: string): string {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower;
  let same = "";
  for (const character of text) {
    const one = character.toLowerCase();
    same += one.length === character.length ? one : character;
  }
  return same;
}
