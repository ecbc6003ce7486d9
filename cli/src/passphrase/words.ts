import { randomBytes } from "node:crypto";

/** Words of a passphrase. A word has 12 bits (16 × 4 × 16 × 4), so it has 72: far beyond guessing at what one guess costs. */
const WORDS = 6;

/** Letters that no font lets pass for another, or for a digit. Powers of two, so that every byte chooses evenly. */
const CONSONANTS = "bdfghkmnprstvwyz";
const VOWELS = "aiou";

/** A new passphrase: words that can be read aloud, remembered, and typed on any keyboard, as in `bako-sumi-towa-…`. */
export function makePassphrase(): string {
  return Array.from({ length: WORDS }, word).join("-");
}

function word(): string {
  return [CONSONANTS, VOWELS, CONSONANTS, VOWELS].map(letterOf).join("");
}

function letterOf(letters: string): string {
  return letters.charAt(randomBytes(1).readUInt8() % letters.length);
}
