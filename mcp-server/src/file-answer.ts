import { textNotes } from "@cmdop/proto";
import type { FileWindow } from "./file-window.ts";

/** What a model is told of a part of a file. */
export interface FileAnswer {
  /** Of the file where content is text, "base64", or "binary": then content is empty. */
  readonly encoding: string;
  readonly content: string;
  readonly offset: number;
  readonly bytes: number;
  readonly nextOffset: number | null;
  /** What there is to know of it, in words. */
  readonly notes: readonly string[];
}

const NEWLINE = 0x0a;

/** A part of a text; undefined where it is none. */
export function asText({ opened, window, firstLine }: FileWindow): FileAnswer | undefined {
  const text = opened.text(window);
  if (text === undefined) return undefined;
  const { encoding } = text;
  const place = ({ offset }: { readonly offset: number }): string =>
    firstLine === undefined
      ? `byte ${window.offset + offset}`
      : `line ${firstLine + window.bytes.subarray(0, offset).filter((byte) => byte === NEWLINE).length}`;
  const notes = textNotes(text, encoding, place);
  return {
    ...whereIs(window),
    encoding: encoding === "utf-8" ? "utf8" : encoding,
    content: text.text,
    notes,
  };
}

/** The bytes themselves. */
export function asBase64({ window }: FileWindow): FileAnswer {
  const content = Buffer.from(window.bytes).toString("base64");
  return { ...whereIs(window), encoding: "base64", content, notes: [] };
}

/** One line about what is no text. */
export async function asBinary(
  { opened: { detected }, window }: FileWindow,
  size: () => Promise<number>,
): Promise<FileAnswer> {
  const type =
    detected.kind === "binary" ? (detected.type ?? "of no type that is known here") : "this part of it";
  const notes = [`binary, ${type}, ${await size()} bytes in all; encoding base64 gives the bytes`];
  return { ...whereIs(window), encoding: "binary", content: "", notes };
}

function whereIs({ offset, bytes, nextOffset }: FileWindow["window"]) {
  return { offset, bytes: bytes.length, nextOffset };
}
