import { usageError } from "./exit.ts";

/** All of standard input as text. `what` it is to be, for the error about one that is longer than `maxBytes`. */
export async function readInput(maxBytes: number, what: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBytes)
      throw usageError(
        `that is not ${what}: it is too long.`,
        `Give ${what}, and nothing else, on standard input.`,
      );
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}
