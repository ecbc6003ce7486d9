/**
 * Letters that can be mistaken for others, by a person who reads Latin. The list is small on purpose: it need
 * not cover every font, because mixed scripts within a word are marked without it.
 */

/**
 * Letters of other scripts that look like Latin ones, and whole scripts that few people can tell from Latin.
 */
const LIKE_LATIN =
  /[АВЕЅІЈКМНОРСТУХѴԌԚԜаеорсухѕіјһѵԁԍԛԝӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧορνιυκχαϲϳՏՍԼՕօոսհգզյցքղ]|[\p{Script=Cherokee}\p{Script=Lisu}\p{Script=Coptic}\p{Script=Deseret}\p{Script=Osage}\p{Script=Old_Italic}\p{Script=Gothic}\p{Script=Carian}\p{Script=Lydian}\p{Script=Lycian}\p{Script=Warang_Citi}\p{Script=Tifinagh}]/u;

/**
 * Letters of the Latin script that look like plain ones: phonetic letters and small capitals, clicks, a
 * dotless i.
 */
const LIKE_PLAIN =
  /[\u0131\u0237\u0180-\u0183\u01bb-\u01c3\u0250-\u02af\u1d00-\u1d7f\ua722-\ua787\uab30-\uab64]/u;

/**
 * Signs that look like ones with a meaning for a shell: slashes, colons, dots, dashes, bars, quotes,
 * brackets. A curly quote looks like a quote, but quotes nothing.
 */
const LIKE_PUNCTUATION =
  /[\u02b9-\u02bd\u02c2-\u02c8\u02cb\u02d0\u02d7\u02dc\u037e\u0589\u05f3\u05f4\u2010-\u2013\u2018-\u201f\u2024\u2032-\u2037\u2039\u203a\u2043\u2044\u204e\u2212\u2215-\u2217\u2223\u2236\u223c\u2758\u2768-\u2775\u27cb\u29f5\u29f8\ua789\ua78a]/u;

/** Scripts that are written from right to left: beside others they change the order of the displayed text. */
const RIGHT_TO_LEFT =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Samaritan}\p{Script=Mandaic}\p{Script=Adlam}\p{Script=Hanifi_Rohingya}\p{Script=Yezidi}\p{Script=Phoenician}\p{Script=Imperial_Aramaic}\p{Script=Old_South_Arabian}\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe]/u;

/**
 * Scripts that are written without spaces: in ordinary text their letters stand beside Latin ones, and
 * resemble none.
 */
const WITHOUT_SPACES =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}\u30fc]/u;

/** Combining marks without a script of their own, drawn onto the letter before them. */
const LOOSE_MARK = /[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]/u;

const LATIN = /\p{Script=Latin}/u;
const MARK = /\p{M}/u;
const LETTER = /[\p{L}\p{N}]/u;

/** Scripts by which words are told apart. Letters of all other scripts count as one. */
const SCRIPTS = [
  LATIN,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Armenian}/u,
  /\p{Script=Georgian}/u,
  RIGHT_TO_LEFT,
  WITHOUT_SPACES,
] as const;

/** Most marks on one letter: more would be drawn over its neighbours. */
const MAX_MARKS = 4;

/** Punctuation of Chinese and Japanese sentences: twice as wide as the signs that a shell reads. */
const WIDE_PUNCTUATION = /[\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f]/u;

/**
 * Returns true if a text is read as Latin: it has Latin letters, or none that could not be mistaken for
 * Latin.
 */
export function readsAsLatin(text: string): boolean {
  if (LATIN.test(text)) return true;
  for (const character of text) if (isLetter(character) && !LIKE_LATIN.test(character)) return false;
  return true;
}

/** Returns true if a character can be mistaken for another in any word. */
export function isLikeAnother(character: string): boolean {
  if (character <= "\x7f" || WIDE_PUNCTUATION.test(character)) return false;
  if (LIKE_PLAIN.test(character) || LIKE_PUNCTUATION.test(character) || LOOSE_MARK.test(character))
    return true;
  // Other forms of the same character, or styled plain characters: full width, mathematical, ligatures.
  return character.normalize("NFC") !== character || /^[ -~]+$/.test(character.normalize("NFKC"));
}

/**
 * Returns the indices of the characters of a word that must be marked: those of another script than the
 * word's, those that only look like the letters of the text around them, and marks without a letter or in
 * heaps.
 */
export function suspects(word: readonly string[], amongLatin: boolean): ReadonlySet<number> {
  const found = new Set<number>();
  const letters = word.filter(isLetter);
  const own = scriptOf(word.find((character) => LATIN.test(character)) ?? letters[0] ?? "");
  const onlyLooksLatin = amongLatin && letters.every((letter) => LIKE_LATIN.test(letter));
  let marks = MAX_MARKS;
  for (const [index, character] of word.entries()) {
    const isMark = MARK.test(character);
    marks = isMark ? marks + 1 : 0;
    if (marks > MAX_MARKS || (amongLatin && RIGHT_TO_LEFT.test(character))) found.add(index);
    else if (isLetter(character) && (onlyLooksLatin || isForeign(character, own))) found.add(index);
  }
  return found;
}

function isForeign(letter: string, own: RegExp | undefined): boolean {
  return scriptOf(letter) !== own && !(own === LATIN && WITHOUT_SPACES.test(letter));
}

/** Returns true for letters and digits beyond ASCII. */
function isLetter(character: string): boolean {
  return character > "\x7f" && LETTER.test(character);
}

/** Returns the script of a character; undefined for the many that are not distinguished here. */
function scriptOf(character: string): RegExp | undefined {
  return SCRIPTS.find((script) => script.test(character));
}
