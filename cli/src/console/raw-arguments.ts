import { readFileSync } from "node:fs";
import { errnoOf } from "@cmdop/kit";
import { pathCharacters, pathText } from "@cmdop/proto/path-text";

/** File in which Linux has this process's command line as the bytes that were given. */
const COMMAND_LINE = "/proc/self/cmdline";

/** Stand-in for a byte that is not UTF-8: half of a surrogate pair, which no text has. */
const LONE_BYTE = /[\udc80-\udcff]/;

/**
 * Node's argv, in which U+FFFD stands for all that is not UTF-8, with every such
 * byte as half of a surrogate pair: so no other word is changed, and none can be
 * taken for another. Where the system does not tell, argv as it is.
 */
export function argumentsWithBytes(argv: readonly string[]): string[] {
  if (!argv.some((word) => word.includes("\ufffd"))) return [...argv];
  const raw = commandLine();
  // Node's own options stand before the program.
  const own = raw?.slice(-(argv.length - 2)) ?? [];
  return argv.map((word, index) => {
    const bytes = own[index - 2];
    return bytes?.toString() === word ? pathCharacters(pathText(bytes)).join("") : word;
  });
}

/** Returns true if a typed word is not UTF-8. */
export function hasBytes(argument: string): boolean {
  return LONE_BYTE.test(argument);
}

/** A word of a command: bytes where it is not UTF-8. */
export function wordOf(argument: string): string | Buffer {
  return hasBytes(argument) ? bytesOf(argument) : argument;
}

/** A path on a machine, as the SDK takes it: bytes that were typed are written as escapes, and escapes that were typed stay. */
export function pathOf(argument: string): string {
  return hasBytes(argument) ? pathText(bytesOf(argument)) : argument;
}

function bytesOf(argument: string): Buffer {
  return Buffer.concat(
    [...argument].map((character) =>
      LONE_BYTE.test(character) ? Buffer.of(character.charCodeAt(0) & 0xff) : Buffer.from(character),
    ),
  );
}

function commandLine(): Buffer[] | undefined {
  let line: Buffer;
  try {
    line = readFileSync(COMMAND_LINE);
  } catch (thrown) {
    // Not Linux.
    if (errnoOf(thrown) !== undefined) return undefined;
    throw thrown;
  }
  const words: Buffer[] = [];
  for (let from = 0; from < line.length; ) {
    const end = line.indexOf(0, from);
    words.push(line.subarray(from, end === -1 ? line.length : end));
    from = end === -1 ? line.length : end + 1;
  }
  return words;
}
