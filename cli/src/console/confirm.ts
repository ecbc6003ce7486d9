import readline from "node:readline/promises";
import { usageError } from "./exit.ts";

/** Asks a person at the terminal; anything but yes is a no. Where nobody can answer, says which option answers. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw usageError("this needs a yes, and there is no terminal to ask on.", "Say --yes.");
  }
  const asking = readline.createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(?:es)?$/i.test((await asking.question(`${question} [y/N] `)).trim());
  } finally {
    asking.close();
  }
}
