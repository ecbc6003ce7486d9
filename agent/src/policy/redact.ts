/** Replaces everything in a text that a policy hides. */
export type Redact = (text: string) => string;

/** The replacement for hidden text. */
const REDACTED = "[redacted]";

/**
 * Most steps for one text, about some milliseconds of work. Each mark found, and each quote passed, is a
 * step.
 */
const MAX_STEPS = 20_000;

/** A space ends a secret; a quote begins a part of it in which spaces do not. */
const SPACE_OR_QUOTE = /[\s'"]/g;

/** A part of a text, from its first character to the index after its last. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns a function that hides everything after one of the policy's `redact` texts, in any case, up to the
 * next space outside of quotes. `"--password="` hides the rest of that argument, `"--token "` the argument
 * after it.
 *
 * The texts are plain, not regular expressions, because patterns would run over what strangers send. The time
 * grows only with the text and the number of texts, and no pattern can be wrong in a way that shows only when
 * the secret is in the audit.
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

/** The work that is left for one text. */
class Steps {
  left = MAX_STEPS;

  /** Takes one step; returns false when none are left. */
  take(): boolean {
    this.left = Math.max(0, this.left - 1);
    return this.left > 0;
  }
}

/** Finds the secrets that follow a mark. */
function* behind(mark: string, haystack: string, text: string, steps: Steps): Generator<Range> {
  for (let at = haystack.indexOf(mark); at !== -1 && steps.take(); ) {
    const from = at + mark.length;
    const to = endOfSecret(text, from, text[at - 1], steps);
    if (to > from) yield { from, to };
    // The next mark may begin inside of hidden text, as long as something follows it.
    at = haystack.indexOf(mark, Math.max(at + 1, to + 1 - mark.length));
  }
}

/**
 * Returns the end of a secret: the next space outside of quotes. `before`: the character before its mark; if
 * it is a quote, everything up to the closing quote belongs to the secret.
 */
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

/** Hides everything after the first mark, for a text that would take too many steps. */
function withoutRest(text: string, haystack: string, marks: readonly string[]): string {
  const ends = marks.flatMap((mark) => {
    const at = haystack.indexOf(mark);
    return at === -1 ? [] : [at + mark.length];
  });
  return text.slice(0, Math.min(...ends)) + REDACTED;
}

/** Replaces ranges of a text. `hidden`: sorted by start; ranges may overlap. */
function without(text: string, hidden: readonly Range[]): string {
  let left = "";
  let shownUpTo = 0;
  for (const { from, to } of hidden) {
    if (from >= shownUpTo) left += text.slice(shownUpTo, from) + REDACTED;
    shownUpTo = Math.max(shownUpTo, to);
  }
  return left + text.slice(shownUpTo);
}

/** Lower-cases a text without moving any character. */
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
