import { isUtf8 } from "node:buffer";
import { CmdopError, decodeStrictly, detectText, encodeText, type TextEncodingName } from "@cmdop/proto";
import { shown } from "../place/path.ts";

/** An edit as it is carried out: all three in the same encoding. */
export interface Written {
  readonly before: Buffer;
  readonly old: Uint8Array;
  readonly new: Uint8Array;
  /** The new content as it is on disk. */
  encoded(after: Buffer): Buffer;
}

/** What is asked for, and in which file. */
interface Asked {
  readonly path: string;
  readonly old: Uint8Array;
  readonly new: Uint8Array;
}

/** How a byte that is no text is shown to those who read the file. */
const SHOWN_BYTE = /\\x([89A-F][0-9A-F]|00)/g;

/**
 * An edit of a text that is not UTF-8. It is asked for in UTF-8 and means the
 * text, so the file is decoded, and encoded again behind it: only where that
 * gives every byte back, so that none changes that nobody meant. Of a damaged
 * UTF-8 file `\xE9` stands for the byte that readers were shown so.
 */
export function asText(before: Buffer, asked: Asked): Written {
  const plain = { before, old: asked.old, new: asked.new, encoded: (after: Buffer) => after };
  if (isUtf8(before) && !before.includes(0)) return plain;
  // Bytes of another encoding are taken for what they are.
  if (!isUtf8(asked.old) || !isUtf8(asked.new)) return plain;
  const detected = detectText(before);
  if (detected.kind === "binary") return plain;
  if (detected.encoding === "utf-8") return { ...plain, ...withShownBytes(before, asked) };
  const { encoding } = detected;
  const decoded = decodeStrictly(before, encoding);
  if (decoded === undefined || !encodedIfKnown(decoded, encoding)?.equals(before)) {
    if (isAscii(asked.old) && isAscii(asked.new)) return plain;
    throw new CmdopError(
      "InvalidArgument",
      `${shown(asked.path)} is in ${encoding}, with something in it that could not be written again as it is.`,
      {
        next: "Give the bytes of that encoding, edit it with a command, or convert it to UTF-8 first (iconv).",
      },
    );
  }
  return {
    ...plain,
    before: Buffer.from(decoded),
    encoded: (after) => encodeText(after.toString(), encoding),
  };
}

/** Undefined where a character has no bytes in that encoding. */
function encodedIfKnown(text: string, encoding: TextEncodingName): Buffer | undefined {
  try {
    return encodeText(text, encoding);
  } catch (thrown) {
    if (thrown instanceof CmdopError) return undefined;
    throw thrown;
  }
}

function withShownBytes(before: Buffer, { old, new: substitute }: Asked): Pick<Written, "old" | "new"> {
  const text = Buffer.from(old).toString();
  const escapes = new Set(text.match(SHOWN_BYTE));
  // Where the file has such a text itself, that is what is meant.
  if ([...escapes].some((each) => before.includes(each))) return { old, new: substitute };
  return { old: bytesIn(text), new: bytesIn(Buffer.from(substitute).toString()) };
  function bytesIn(written: string): Buffer {
    const parts = written.split(SHOWN_BYTE);
    return Buffer.concat(
      parts.map((part, index) =>
        index % 2 === 0
          ? Buffer.from(part)
          : escapes.has(`\\x${part}`)
            ? Buffer.from(part, "hex")
            : Buffer.from(`\\x${part}`),
      ),
    );
  }
}

function isAscii(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80);
}
