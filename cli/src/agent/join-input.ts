import { readPrivateFile } from "@cmdop/proto";
import { usageError } from "../console/exit.ts";
import { readInput } from "../console/standard-input.ts";

/** A join token is a statement of at most 16 KiB; more than this on standard input is something else. */
const MAX_JOIN_INPUT_BYTES = 64 * 1024;

/**
 * The join token that is to be used, if any: `-` reads it from standard input,
 * anything else from a file of mode 0600; CMDOP_JOIN_TOKEN where nothing is said.
 * Never from the command line, which every user of the machine can read.
 */
export async function joinToken(option: string | undefined): Promise<string | undefined> {
  const token = option === undefined ? process.env.CMDOP_JOIN_TOKEN : await tokenFrom(option);
  // Programs that are started from here on have no use for it.
  delete process.env.CMDOP_JOIN_TOKEN;
  return token?.trim() || undefined;
}

async function tokenFrom(option: string): Promise<string> {
  if (option === "-") return standardInput();
  // The token itself: three parts of base64url. It is not repeated.
  if (/^eyJ[\w-]*\.[\w-]+\.[\w-]+$/.test(option)) {
    throw usageError(
      "a token on the command line can be read by every user of this machine.",
      "Say --join - and give it on standard input, --join FILE, or set CMDOP_JOIN_TOKEN.",
    );
  }
  const text = readPrivateFile(option);
  if (text !== undefined) return text;
  throw usageError(`there is no file ${option} with a token.`, "Say --join - to give it on standard input.");
}

async function standardInput(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write("Paste the token, then Enter and Ctrl-D:\n");
  return readInput(MAX_JOIN_INPUT_BYTES, "a join token");
}
