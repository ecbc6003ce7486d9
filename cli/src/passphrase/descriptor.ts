import { closeSync, createReadStream } from "node:fs";
import { CmdopError, MAX_PASSPHRASE_BYTES } from "@cmdop/proto";

/** Reads the first line of what a file descriptor gives, and closes it: a passphrase that is in no argument and no environment. */
export async function readLineFrom(fd: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // Not closed where it can't be read: then it may be one of Node's own.
    for await (const chunk of createReadStream("", { fd, autoClose: false })) {
      const bytes = Buffer.from(chunk);
      chunks.push(bytes);
      size += bytes.length;
      if (bytes.includes("\n") || size > MAX_PASSPHRASE_BYTES) break;
    }
  } catch (cause) {
    throw unusable(fd, cause);
  }
  closeSync(fd);
  const [line = ""] = Buffer.concat(chunks).toString("utf8").split(/\r?\n/);
  if (line === "" || Buffer.byteLength(line) > MAX_PASSPHRASE_BYTES) throw unusable(fd, undefined);
  return line;
}

function unusable(fd: number, cause: unknown): CmdopError {
  const why = cause instanceof Error ? cause.message : "it gives no line, or too long a one";
  return new CmdopError(
    "InvalidArgument",
    `There is no passphrase to be read from descriptor ${fd}: ${why}.`,
    {
      next: "Open it for the command, as in cmdop … --passphrase-fd 3 3< passphrase.txt",
      cause,
    },
  );
}
