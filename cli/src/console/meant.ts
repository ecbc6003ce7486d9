import { CmdopError, type ErrorCode } from "@cmdop/proto";
import { didYouMean } from "./did-you-mean.ts";
import { printable } from "./printable.ts";

/** The shortest beginning of an id that is taken for one: with fewer characters a slip of the finger would find something. */
const MIN_PREFIX_CHARS = 4;

/** Candidates in one error message. */
const MAX_SHOWN = 10;

/** Something with an id, and words by which a person knows it. */
export interface Identified {
  readonly id: string;
  /** A name that a person may type instead of the id. */
  readonly name?: string | undefined;
  /** Words behind the id in a message, where a name is not enough. */
  readonly about?: string | undefined;
}

/** What is looked for, for the messages. */
export interface Sought {
  /** `machine`, `key`, `job`. */
  readonly noun: string;
  /** What is said where nothing is found, before the text. */
  readonly none: string;
  /** The command that lists them. */
  readonly listedBy: string;
  /** Why it may be gone, for the next step. */
  readonly gone?: string;
  /** Where nothing is found. */
  readonly unknown: ErrorCode;
  /** Where an id begins so of several. */
  readonly ambiguous: ErrorCode;
}

/**
 * What a person means by an id, or by the beginning of one.
 * @throws CmdopError `unknown` with the closest names, `ambiguous` with the candidates, InvalidArgument for too short a text
 */
export function meant<T extends Identified>(text: string, among: readonly T[], sought: Sought): T {
  const { noun, listedBy } = sought;
  const exact = among.find(({ id }) => id === text);
  if (exact !== undefined) return exact;
  const found = among.filter(({ id }) => id.startsWith(text));
  const [only, another] = found;
  if (only !== undefined && text.length >= MIN_PREFIX_CHARS) {
    if (another === undefined) return only;
    const shown = found.slice(0, MAX_SHOWN).map(described).join(", ");
    throw new CmdopError(
      sought.ambiguous,
      `${text} is the beginning of the ids of ${found.length} ${noun}s: ${shown}${found.length > MAX_SHOWN ? ", …" : ""}.`,
      { next: "Give more of the id." },
    );
  }
  const names = among.flatMap(({ name }) => (name === undefined ? [] : [name]));
  const hint = didYouMean(text, names);
  if (hint === undefined && names.length === 0 && text.length < MIN_PREFIX_CHARS) {
    throw new CmdopError("InvalidArgument", `${JSON.stringify(text)} is too short for a ${noun}'s id.`, {
      next: `Give the id, or at least its first ${MIN_PREFIX_CHARS} characters: ${listedBy} lists them.`,
    });
  }
  throw new CmdopError(sought.unknown, `${sought.none} ${JSON.stringify(text)}.`, {
    next: [hint ?? sought.gone, `${listedBy} lists them.`].filter((part) => part !== undefined).join(" "),
  });
}

function described({ id, name, about }: Identified): string {
  const words = about ?? name;
  return words === undefined ? id : `${id} (${printable(words)})`;
}
